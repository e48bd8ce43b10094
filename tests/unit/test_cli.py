"""A mistake of the user is one line and exit code 1; a defect keeps its traceback."""

import errno
import resource

import pandas.errors
import pytest

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError


def parser():
    made = make_parser("What it does.\n\n  a line as written")
    made.add_argument("--number", type=int, required=True)
    return made


def test_success_is_exit_code_0():
    seen = []
    assert (
        run_script(lambda arguments: seen.append(arguments.number), parser(), ["--number", "3"])
        == 0
    )
    assert seen == [3]


@pytest.mark.parametrize("message", ["a.csv is empty: delete it", "several\nlines\nof it"])
def test_user_error_is_one_line_and_exit_code_1(capsys, message):
    def fail(_):
        raise UserError(message)

    assert run_script(fail, parser(), ["--number", "3"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: {message.replace(chr(10), ' ')}\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 bytes"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        pandas.errors.ParserError("Error tokenizing data. C error: out of memory"),
        RuntimeError("can't start new thread"),
    ],
)
def test_memory_that_ran_out_is_one_line_and_exit_code_1(capsys, error):
    def fail(_):
        raise error

    assert run_script(fail, parser(), ["--number", "3"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the memory ran out: give the job more (mem_mb")


@pytest.mark.parametrize("limit", [resource.RLIM_INFINITY, 1 << 40])
def test_c_code_without_an_error_lacked_memory_if_that_is_limited(capsys, monkeypatch, limit):
    def fail(_):
        raise SystemError("<function f> returned NULL without setting an exception")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, resource.RLIM_INFINITY))
    if limit == resource.RLIM_INFINITY:
        with pytest.raises(SystemError):
            run_script(fail, parser(), ["--number", "3"])
    else:
        assert run_script(fail, parser(), ["--number", "3"]) == 1
        assert "the memory ran out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "defect", [ZeroDivisionError(), RuntimeError("shapes differ"), OSError(errno.ENOENT, "no file")]
)
def test_a_defect_is_not_hidden(defect):
    def fail(_):
        raise defect

    with pytest.raises(type(defect)):
        run_script(fail, parser(), ["--number", "3"])


def test_a_wrong_argument_is_exit_code_2_and_names_it(capsys):
    with pytest.raises(SystemExit) as leaving:
        run_script(lambda _: None, parser(), ["--number", "three"])
    assert leaving.value.code == 2
    assert "--number" in capsys.readouterr().err


def test_help_keeps_the_docstring_as_written(capsys):
    with pytest.raises(SystemExit) as leaving:
        run_script(lambda _: None, parser(), ["--help"])
    assert leaving.value.code == 0
    assert "What it does.\n\n  a line as written" in capsys.readouterr().out
