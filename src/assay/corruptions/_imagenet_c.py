"""Which corruptions make up ImageNet-C and CIFAR-10-C.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), without the four it holds back for
validation. The plugs of this folder make them, the worlds `imagenet_c` and `cifar10_c` read them from files under these names.
"""

# In the paper's order: three noises, four blurs, four of the weather, four digital.
IMAGENET_C = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
ONE_OF_EACH_KIND = ("gaussian_noise", "motion_blur", "fog", "jpeg_compression")
