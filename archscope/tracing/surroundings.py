"""What a forward pass on stand-ins must be kept from: compilation, and fake tensors that log every error they raise."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def quiet_fake_tensors() -> Iterator[None]:
    """Fake tensors log a traceback for every error they raise; this thread's are reported by us."""
    thread = threading.get_ident()

    def is_other_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger("torch._subclasses.fake_tensor")
    logger.addFilter(is_other_thread)
    try:
        yield
    finally:
        logger.removeFilter(is_other_thread)


@contextmanager
def without_compilation() -> Iterator[None]:
    """Compiled modules and functions run as they were written; where nothing was compiled, nothing is imported."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
