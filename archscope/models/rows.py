"""The registry's rows: every built-in model as data. Torch-free; nothing here is computed beyond filling in rows."""

from archscope.core.trace import Setting
from archscope.models.entry import Argument, ModelEntry, Shape
from archscope.models.vgg_rows import TABLE_1

_KRIZHEVSKY = "Krizhevsky et al. 2012"
_VGG = "Simonyan and Zisserman 2014"
_ZEILER = "Zeiler and Fergus 2014"
_SZEGEDY = "Szegedy et al. 2014"
_HE = "He et al. 2015"

_IMAGE_227: Shape = (3, 227, 227)
_IMAGE_224: Shape = (3, 224, 224)
_IMAGE_32: Shape = (3, 32, 32)
_CIFAR_STEM_INPUT = (("stem", "cifar", _IMAGE_32),)

_CLASSES = Argument("num_classes", "count", 1000, "classes of the last layer")
_CLASSES_10 = Argument("num_classes", "count", 10, "classes of the last layer")
_AUX = Argument("aux", "flag", False, "auxiliary classifiers, used in training mode only")
_STEM = Argument("stem", "choice", "imagenet", "cifar: 3x3 of stride 1 and no max pool", ("imagenet", "cifar"))
_ZERO_INIT = Argument("zero_init_residual", "flag", False, "last BatchNorm scale of each residual branch starts at 0")
_ZERO_INIT_ON = Argument("zero_init_residual", "flag", True, _ZERO_INIT.about)
_SHORTCUT_ABOUT = "A zero-padded, B projection where shapes change, C projection everywhere"
_SHORTCUT = Argument("shortcut", "choice", "B", _SHORTCUT_ABOUT, ("A", "B", "C"))
_SHORTCUT_A = Argument("shortcut", "choice", "A", _SHORTCUT_ABOUT, ("A", "B", "C"))
_CFG = Argument("cfg", "layers", TABLE_1["D"], "the stack of layers, as in Table 1")
_BATCH_NORM = Argument("batch_norm", "flag", False, "BatchNorm after every convolution")
_CLASSIFIER = Argument(
    *("classifier", "choice", "imagenet"),
    "imagenet: fitted to cfg; lecture: always 512*7*7 inputs; none: the bare stack",
    ("imagenet", "lecture", "none"),
)

_ALEXNET = (
    ModelEntry(
        name="alexnet",
        title="AlexNet, one tower, as in the lecture (CS231n form)",
        family="alexnet",
        source=f"{_KRIZHEVSKY}, simplified in CS231n lecture 9",
        builder="archscope.models.alexnet:build_alexnet",
        input_shape=_IMAGE_227,
        arguments=(_CLASSES,),
    ),
    ModelEntry(
        name="alexnet_2012",
        title="AlexNet as published (two towers as groups, norm before pool)",
        family="alexnet",
        source=f"{_KRIZHEVSKY}, section 3",
        builder="archscope.models.alexnet:build_alexnet_2012",
        input_shape=_IMAGE_227,
        arguments=(_CLASSES,),
    ),
)

_ZFNET = ModelEntry(
    name="zfnet",
    title="ZFNet (AlexNet with smaller strides and filters at the start)",
    family="zfnet",
    source=f"{_ZEILER}, figure 3",
    builder="archscope.models.zfnet:build_zfnet",
    input_shape=_IMAGE_224,
    arguments=(_CLASSES,),
    aliases=("zeiler-fergus",),
)


def _vgg_rows(name: str, title: str, column: str) -> tuple[ModelEntry, ...]:
    return tuple(
        ModelEntry(
            name=f"{name}{suffix}",
            title=f"{title} (column {column} of Table 1{extra})",
            family="vgg",
            source=f"{_VGG}, Table 1, column {column}",
            builder="archscope.models.vgg:build_column",
            input_shape=_IMAGE_224,
            arguments=(_CLASSES,),
            settings=(("column", column), ("batch_norm", bool(suffix))),
            aliases=(f"vgg-{column.lower()}{suffix.replace('_', '-')}",),
        )
        for suffix, extra in (("", ""), ("_bn", ", with BatchNorm"))
    )


def _vgg_cifar_rows(name: str, title: str, where: str) -> tuple[ModelEntry, ...]:
    return tuple(
        ModelEntry(
            name=f"{name}_cifar{suffix}",
            title=f"{title} of the lecture for CIFAR-10{extra}",
            family="vgg-cifar",
            source=f'Lecture "Advanced CNN", {where}',
            builder="archscope.models.vgg:build_cifar",
            input_shape=_IMAGE_32,
            arguments=(_CLASSES_10,),
            settings=(("row", name), ("batch_norm", bool(suffix))),
        )
        for suffix, extra in (("", ""), ("_bn", ", with BatchNorm"))
    )


_VGG_ROWS = (
    *_vgg_rows("vgg11", "VGG-11", "A"),
    *_vgg_rows("vgg11_lrn", "VGG-11 with LRN", "A-LRN"),
    *_vgg_rows("vgg13", "VGG-13", "B"),
    *_vgg_rows("vgg16c", "VGG-16 with 1x1 convolutions", "C"),
    *_vgg_rows("vgg16", "VGG-16", "D"),
    *_vgg_rows("vgg19", "VGG-19", "E"),
    ModelEntry(
        name="vgg",
        title="VGG of any configuration",
        family="vgg",
        source=f'{_VGG}, Table 1; make_layers of the lecture "Advanced CNN"',
        builder="archscope.models.vgg:build_vgg",
        input_shape=_IMAGE_224,
        arguments=(_CFG, _BATCH_NORM, _CLASSIFIER, _CLASSES),
    ),
    *_vgg_cifar_rows("vgg16", "VGG-16", "notebook 10-5-2"),
    *_vgg_cifar_rows("vgg19", "VGG-19", "assignment"),
)

_GOOGLENET = (
    ModelEntry(
        name="googlenet",
        title="GoogLeNet (Table 1, true 5x5 branches, no BatchNorm)",
        family="googlenet",
        source=f"{_SZEGEDY}, Table 1",
        builder="archscope.models.googlenet:build_googlenet",
        input_shape=_IMAGE_224,
        arguments=(_CLASSES, _AUX),
        aliases=("inception-v1",),
    ),
)


def _resnet_row(name: str, note: str, source: str, arguments: tuple[Argument, ...]) -> ModelEntry:
    return ModelEntry(
        name=name,
        title=f"{name} ({note})",
        family="resnet",
        source=f"{_HE}, {source}",
        builder="archscope.models.resnet:build_resnet",
        input_shape=_IMAGE_224,
        arguments=arguments,
        settings=(("layout", name),),
        input_variants=_CIFAR_STEM_INPUT,
    )


_RESNET_ARGUMENTS = (_CLASSES, _SHORTCUT, _STEM, _ZERO_INIT)
_IN_3X3 = "stride in the 3x3 convolution, as torchvision"
_IN_1X1 = "stride in the first 1x1 convolution, as published"
_RESNET = (
    *(_resnet_row(f"resnet{d}", "basic blocks, as torchvision", "Table 1", _RESNET_ARGUMENTS) for d in (18, 34)),
    *(_resnet_row(f"resnet{d}", _IN_3X3, "Table 1", _RESNET_ARGUMENTS) for d in (50, 101, 152)),
    *(_resnet_row(f"resnet{d}_v1", _IN_1X1, "Table 1", _RESNET_ARGUMENTS) for d in (50, 101, 152)),
    *(_resnet_row(f"plain{d}", f"resnet{d} without shortcuts", "section 4.1", (_CLASSES, _STEM)) for d in (18, 34)),
)


def _cifar_row(name: str, note: str, settings: tuple[tuple[str, Setting], ...], *extra: Argument) -> ModelEntry:
    return ModelEntry(
        name=name,
        title=f"{name} ({note})",
        family="resnet-cifar",
        source=f"{_HE}, section 4.2, Table 6",
        builder="archscope.models.resnet:build_resnet_cifar",
        input_shape=_IMAGE_32,
        arguments=(_CLASSES_10, *extra),
        settings=settings,
    )


def _lecture_row(depth: int, zero_init: Argument, where: str) -> ModelEntry:
    return ModelEntry(
        name=f"resnet{depth}_cifar",
        title=f"resnet{depth}_cifar (the lecture's: planes 16, 32, 64, 128, no max pool)",
        family="resnet-cifar-lecture",
        source=f'Lecture "Advanced CNN", {where}',
        builder="archscope.models.resnet:build_lecture_resnet",
        input_shape=_IMAGE_32,
        arguments=(_CLASSES_10, _SHORTCUT, zero_init),
        settings=(("layout", f"resnet{depth}"),),
    )


_RESNET_CIFAR = (
    *(
        _cifar_row(f"resnet{d}", "the paper's for CIFAR-10, 6n+2 layers", (("depth", d),), _SHORTCUT_A, _ZERO_INIT)
        for d in (20, 32, 44, 56, 110, 1202)
    ),
    *(
        _cifar_row(f"plain{d}", f"resnet{d} without shortcuts", (("depth", d), ("shortcut", "none")))
        for d in (20, 32, 44, 56, 110)
    ),
    _lecture_row(18, _ZERO_INIT, "notebook 10-6-2"),
    _lecture_row(34, _ZERO_INIT, "assignment"),
    _lecture_row(50, _ZERO_INIT_ON, "notebook 10-6-2"),
    _lecture_row(101, _ZERO_INIT, "notebook 10-6-2"),
)

ROWS: tuple[ModelEntry, ...] = (*_ALEXNET, _ZFNET, *_VGG_ROWS, *_GOOGLENET, *_RESNET, *_RESNET_CIFAR)
"""Every built-in model, in the order of the papers."""
