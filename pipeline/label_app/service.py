"""What the server answers when something is wrong: a status and a reason, never a bare 500."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813
import torch
from fastapi import HTTPException
from monailabel.interfaces.exception import ImageNotFoundException, MONAILabelException

from transforms.errors import CTError, root_error

logger = logging.getLogger(__name__)

Request = dict[str, Any]
Infer = Callable[[Request, Any], Request]

NOTHING_TO_STORE = "the mask is empty: a DICOM SEG without a segment cannot be made or stored"


def infer(run: Infer, request: Request, datastore: Any, *, models: Mapping[str, Any]) -> Request:
    """Runs a model for one image.

    Args:
        run: MONAI Label's own method.
        request: `model`, `image`, and what the client sent along.
        datastore: MONAI Label's, where the image is.
        models: What there is, by name.

    Raises:
        HTTPException: 404 for a model or an image that is not there, 422 for an image that cannot be used and for a
            SEG of an empty mask.
    """
    check_model(request.get("model"), models)
    with reasons():
        check_image(request.get("image"), datastore)
        result = run(request, datastore)
    if result["params"].get("empty") and "label_info" in request:  # the mark of a client that wants a SEG
        raise HTTPException(422, NOTHING_TO_STORE)
    return result


def check_model(name: str | None, models: Mapping[str, Any]) -> None:
    """Refuses a model that is not there, with 404."""
    if name not in models:
        raise HTTPException(404, f"there is no model '{name}'; there are {', '.join(models)}")


def check_image(image: Any, datastore: Any) -> None:
    """Refuses an image that is not there, with 404; one that the client sent along is a file by now."""
    if not isinstance(image, str) or Path(image).exists():
        return
    try:
        path = datastore.get_image_uri(image)
    except IndexError:  # what MONAI Label makes of a series that the archive does not have
        path = ""
    if not path:
        raise HTTPException(404, f"there is no image '{image}'")


@contextmanager
def reasons() -> Iterator[None]:
    """Turns what a user's input can cause into a status and its reason."""
    try:
        yield
    except HTTPException:
        raise
    except ImageNotFoundException as error:
        raise HTTPException(404, error.msg) from error
    except MONAILabelException as error:
        raise HTTPException(500, error.msg) from error
    except Exception as error:  # boundary: whatever fails for one request, the client is told and the server lives on
        root = root_error(error)
        if not isinstance(root, CTError):
            logger.exception("a request failed")
            raise HTTPException(500, f"{type(root).__name__}: see the server's log") from error
        raise HTTPException(422, str(root)) from error


def batch_infer(app: Any, run: Callable[..., Request], request: Request, datastore: Any) -> Request:
    """Runs a model on many images, one after the other; one that fails is named, the others are done.

    Args:
        app: The app, whose `infer` is asked.
        run: MONAI Label's own method.
        request: `model`, `images`, and what the client sent along.
        datastore: `None` for the server's own.
    """
    check_model(request.get("model"), app._infers)
    one = app.infer

    def guarded(each: Request, store: Any = None) -> Request:
        try:
            done: Request = one(each, store)
        except HTTPException as error:
            logger.warning("%s: %s", each.get("image"), error.detail)
            return {"label": None, "error": error.detail}
        return done

    app.infer = guarded
    try:
        # On a machine without a GPU MONAI Label would share the images among none.
        return run({"multi_gpu": torch.cuda.device_count() > 1, **request}, datastore)
    finally:
        del app.infer


def careful(datastore: Any) -> Any:
    """An archive's datastore that says so when an empty mask is to be stored."""
    save = datastore.save_label

    def save_label(image_id: str, label: str, tag: str, *rest: Any, **more: Any) -> Any:
        if tag == "final" and not sitk.GetArrayFromImage(sitk.ReadImage(label)).any():
            raise HTTPException(422, NOTHING_TO_STORE)
        return save(image_id, label, tag, *rest, **more)

    datastore.save_label = save_label
    return datastore
