"""The legally relevant part: samples to energy. Sealed."""
