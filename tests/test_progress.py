import io
import sys

from skprivacy._progress import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_items_pass_through_and_a_bar_is_drawn(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress("abcd", 4, "adult")) == list("abcd")
    text = stream.getvalue()
    assert "adult [" + "#" * 15 + "." * 15 + "] 2/4" in text
    assert text.endswith("\r\x1b[K")


def test_nothing_is_drawn_where_there_is_no_terminal(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress("abcd", 4, "adult")) == list("abcd")
    assert stream.getvalue() == ""


def test_a_bar_can_be_asked_for(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress("ab", 2, "shadows", always=True)) == ["a", "b"]
    assert "2/2" in stream.getvalue()
