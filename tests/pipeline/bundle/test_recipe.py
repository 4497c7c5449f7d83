"""What makes a result is told apart from where and how it runs."""

import pytest
from monai.bundle import ConfigParser

from pipeline.bundle import result_settings, running_config
from transforms.errors import SettingError

CONFIG = {
    "imports": ["$import pipeline"],
    "bundle_root": "/anywhere",
    "device": "cpu",
    "overlap": 0.5,
    "patch_size": "$[32, 32, @depth]",
    "depth": 16,
    "settings": "$pipeline.bundle.result_settings()",
    "run": ["$print(1)"],
}


def test_a_config_tells_its_parts_what_it_is_as_it_stands_in_the_files():
    assert ConfigParser(CONFIG).get_parsed_content("settings") == {
        "overlap": 0.5,
        "patch_size": "$[32, 32, @depth]",
        "depth": 16,
    }


def test_an_overlay_or_a_value_of_the_command_line_shows():
    parser = ConfigParser(CONFIG)
    parser["depth"] = 8
    parser["network_def"] = {"_target_": "torch.nn.Identity"}
    found = parser.get_parsed_content("settings")
    assert (found["depth"], found["network_def"]) == (8, {"_target_": "torch.nn.Identity"})


def test_what_is_handed_out_is_a_copy():
    config = {"a": {"b": 1}}
    result_settings(config)["a"]["b"] = 2
    assert config == {"a": {"b": 1}}


def test_without_a_config_there_is_none():
    with pytest.raises(SettingError, match="from a bundle's configuration"):
        running_config()
