"""Classify images by an exported model: python classify_with_onnx.py MODEL.onnx IMAGE..."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
facts = session.get_modelmeta().custom_metadata_map
classes, size, resize = (json.loads(facts[key]) for key in ("classes", "size", "resize"))
make_square = {"stretch": Image.Image.resize, "crop": ImageOps.fit, "pad": ImageOps.pad}[resize]
for path in sys.argv[2:]:
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode[0] in "IF":
        sys.exit(f"{path}: more than 8 bits; scale it to 0 ... 255, as the training images were")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    pixels = make_square(image.convert("RGB"), (size, size), Image.Resampling.BILINEAR)
    probabilities = session.run(None, {"images": np.asarray(pixels)[None]})[0][0]
    print(path, classes[probabilities.argmax()], f"{probabilities.max():.4f}", sep="\t")
