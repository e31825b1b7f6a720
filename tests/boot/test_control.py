"""Asking a running meter through its control socket, against a stand-in that serves one line."""

import contextlib
import json
import os
import socket
import threading

import pytest

from wattwheel.boot import control
from wattwheel.model.display import Lcd
from wattwheel.model.errors import BadInput, NotAnswered, Refused


@pytest.fixture
def serve(tmp_path):
    """Serve a connection for each reply on a state folder with a long name; the requests heard are in the list."""
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    here = os.open(folder, os.O_PATH)
    listener.bind(f"/proc/self/fd/{here}/{control.SOCKET_NAME}")
    listener.listen(1)
    heard, threads = [], []

    def serve(*replies):
        def talk():
            for reply in replies:
                with listener.accept()[0] as connection:
                    heard.append(json.loads(connection.makefile("rb").readline()))
                    connection.sendall(reply)

        threads.append(threading.Thread(target=talk))
        threads[-1].start()
        return str(folder), heard

    yield serve
    for thread in threads:
        thread.join()
    listener.close()
    os.close(here)


def test_status(serve):
    folder, heard = serve(b'{"ready": true}\n')
    assert control.ask_status(folder) == {"ready": True}
    assert heard == [{"ask": "status"}]


def test_press(serve):
    folder, heard = serve(b"{}\n")
    control.press_button(folder, "up", 3.0)
    assert heard == [{"press": "up", "seconds": 3.0}]


def test_fee_control(serve):
    folder, heard = serve(b"{}\n")
    control.order_fee_control(folder, "recharge 50 1")
    assert heard == [{"fee": "recharge 50 1"}]


def test_the_meter_says_no(serve):
    folder, _ = serve(b'{"refused": "no such button"}\n')
    with pytest.raises(Refused, match="no such button"):
        control.press_button(folder, "up", 0.0)


def test_a_kernel_that_ended_has_a_successor(serve):
    folder, heard = serve(b"", b'{"ready": true}\n')
    assert control.ask_status(folder) == {"ready": True}
    assert heard == [{"ask": "status"}] * 2


def test_a_button_is_not_pressed_twice(serve):
    folder, heard = serve(b"")
    with pytest.raises(NotAnswered, match="ended before"):
        control.press_button(folder, "up", 0.0)
    assert len(heard) == 1


@pytest.mark.parametrize("replies", [(b"", b""), (b'{"ready"',), (b"[]\n",)])
def test_the_meter_ends_in_between(serve, replies):
    folder, _ = serve(*replies)
    with pytest.raises(NotAnswered, match="ended before"):
        control.ask_status(folder)


def test_no_meter(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NotAnswered, match="no meter runs"):
            control.ask_status(str(folder))


def test_a_meter_that_was_killed_leaves_its_socket(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / control.SOCKET_NAME))
    with pytest.raises(NotAnswered, match="no meter runs"):
        control.ask_status(str(tmp_path))


def test_more_ask_than_the_meter_hears(tmp_path):
    where, waiting = str(tmp_path / control.SOCKET_NAME), []
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as held:
        busy.bind(where)
        busy.listen(1)
        with contextlib.suppress(BlockingIOError):
            while len(waiting) < 100:
                waiting.append(held.enter_context(socket.socket(socket.AF_UNIX)))
                waiting[-1].setblocking(False)
                waiting[-1].connect(where)
        with pytest.raises(NotAnswered, match="too many ask this meter at once"):
            control.ask_status(str(tmp_path))


def test_a_file_for_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="folder"):
        control.ask_status(str(tmp_path / "file"))


def test_the_display(serve):
    folder, heard = serve(b'{"display": {"digits": "  12.34", "unit": "kWh", "symbols": ["ua"], "later": 1}}\n')
    assert control.ask_display(folder) == Lcd(digits="  12.34", unit="kWh", symbols=("ua",))
    assert heard == [{"ask": "display"}]


def test_a_display_that_shows_nothing_yet(serve):
    folder, _ = serve(b'{"display": null}\n')
    with pytest.raises(NotAnswered, match="nothing yet"):
        control.ask_display(folder)
