"""Lets torchvision be imported beside a torch that its compiled operators are not for, a CPU build for example.

The networks compared here use none of these operators; `import torchvision` only wants to find them declared.
"""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:  # operator torchvision::nms does not exist
    LIBRARY = torch.library.Library("torchvision", "FRAGMENT")  # the declarations live as long as this
    for name in ("nms", "qnms"):
        LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
