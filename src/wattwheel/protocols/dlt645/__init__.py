"""DL/T 645-2007 and -1997: frames, data items, sessions."""
