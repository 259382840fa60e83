"""A choice from timm: one or two networks for each mechanism that it has."""

import torch
from torch import nn

# Loaded first, because timm loads it and needs the same help.
from . import torchvision_zoo  # noqa: F401
from .subjects import Subject

NAMES = """
resnetv2_50 ecaresnet26t seresnext26d_32x4d res2net50_26w_4s skresnet18 resnest14d cspresnet50
cspdarknet53 regnety_004 regnetx_004 dla34 dla60x_c hrnet_w18_small ese_vovnet19b_dw densenet121
dpn68 legacy_xception inception_v3 inception_v4 nasnetalarge pnasnet5large ghostnet_100
ghostnetv2_100 mobilenetv1_100 mobilenetv2_050 mobilenetv3_small_100 mobilenetv4_conv_small
mobilenetv4_hybrid_medium efficientnet_b0 efficientnetv2_rw_t mixnet_s tinynet_e mnasnet_small
hardcorenas_a rexnet_100 repvgg_a0 mobileone_s0 fastvit_t8 levit_128s efficientformer_l1
efficientformerv2_s0 edgenext_xx_small mobilevit_xxs mobilevitv2_050 convnext_atto
convnextv2_atto convmixer_768_32 mixer_s32_224 gmlp_ti16_224 resmlp_12_224 poolformer_s12
vit_tiny_patch16_224 deit_tiny_distilled_patch16_224 beit_base_patch16_224 cait_xxs24_224
xcit_nano_12_p16_224 swin_tiny_patch4_window7_224 swinv2_cr_tiny_224 swinv2_tiny_window8_256
twins_svt_small twins_pcpvt_small pvt_v2_b0 coat_tiny crossvit_tiny_240 tnt_s_patch16_224
maxvit_pico_rw_256 coatnet_nano_rw_224 volo_d1_224 nest_tiny visformer_tiny focalnet_tiny_srf
davit_tiny hiera_tiny_224 nfnet_l0 botnet26t_256 halonet26t lambda_resnet26t gcvit_xxtiny
sequencer2d_s efficientvit_b0 efficientvit_m0 repghostnet_050 inception_next_atto starnet_s1
rdnet_tiny mambaout_femto eva02_tiny_patch14_224 vit_small_patch16_rope_224
selecsls42 sebotnet33ts_256 haloregnetz_b regnetz_005 shvit_s1 tiny_vit_5m_224
repvit_m0_9 hgnet_tiny hgnetv2_b0 lcnet_050 fbnetv3_b gernet_s eca_nfnet_l0 resnet18 convit_tiny
pit_ti_224 samvit_base_patch16_224 nextvit_small csatv2 fasternet_t0 ghostnetv3_050 mvitv2_tiny
""".split()

MAXIMUM_IMAGE_SIZE = 224


def subject(name):
    from timm import create_model

    configuration = create_model(name, pretrained=False).default_cfg
    size = configuration["input_size"][-1]
    if not configuration.get("fixed_input_size"):
        size = min(size, MAXIMUM_IMAGE_SIZE)
    return Subject(
        lambda: create_model(name, pretrained=False, exportable=True),
        lambda batch: (torch.randn(batch, 3, size, size),), heads)


def heads(network):
    """The layers of the classifier, or of the classifiers."""
    classifiers = network.get_classifier()
    if not isinstance(classifiers, (list, tuple, nn.ModuleList)):
        classifiers = [classifiers]
    return [module for module in classifiers if isinstance(module, nn.Module)]
