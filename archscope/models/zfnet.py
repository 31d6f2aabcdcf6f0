"""ZFNet: the network of Zeiler and Fergus 2014, figure 3 and its caption.

The figure prints the sizes 224, 110, 55, 26, 13 and 6, and no padding. They need one pixel of padding in the first
layer and pools that keep an incomplete window at the border: padded pools would make 7x7 maps of the last 13x13.
"""

import torch
from torch import Tensor, nn

from archscope.models.layers import build_response_norm, initialise_gaussian


def _build_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class ZFNet(nn.Module):
    """Eight layers: AlexNet's with a 7x7 first layer of stride 2, a second layer of stride 2, and no groups.

    The contrast normalisation across maps is that of AlexNet (Krizhevsky et al. 2012, section 3.3), after each of the
    first two pools. Images (N, 3, 224, 224) in, class scores (N, num_classes) out.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 96, 7, stride=2, padding=1), nn.ReLU(inplace=True)
        self.pool1, self.norm1 = _build_pool(), build_response_norm()
        self.conv2, self.relu2 = nn.Conv2d(96, 256, 5, stride=2), nn.ReLU(inplace=True)
        self.pool2, self.norm2 = _build_pool(), build_response_norm()
        self.conv3, self.relu3 = nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(inplace=True)
        self.conv4, self.relu4 = nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(inplace=True)
        self.conv5, self.relu5 = nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)
        self.pool5 = _build_pool()
        self.fc6, self.relu6 = nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout(0.5)
        self.fc7, self.relu7 = nn.Linear(4096, 4096), nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(4096, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 224, 224) -> (N, num_classes)."""
        x = self.norm1(self.pool1(self.relu1(self.conv1(x))))
        x = self.norm2(self.pool2(self.relu2(self.conv2(x))))
        x = self.relu3(self.conv3(x))
        x = self.relu4(self.conv4(x))
        x = self.pool5(self.relu5(self.conv5(x)))
        x = torch.flatten(x, 1)
        x = self.drop6(self.relu6(self.fc6(x)))
        x = self.drop7(self.relu7(self.fc7(x)))
        scores: Tensor = self.fc8(x)
        return scores


def build_zfnet(*, num_classes: int = 1000) -> ZFNet:
    """The published network. Section 3 starts weights at 10^-2, read here as N(0, 0.01), and biases at 0."""
    model = ZFNet(num_classes)
    initialise_gaussian(model, 0.01)
    return model
