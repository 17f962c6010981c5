"""The record of a recipe against the configuration's section."""

from dataclasses import FrozenInstanceError, asdict, fields

import pytest

from tests.finetune.toy import recipe_of
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.finetune.stage import Recipe as Section


def test_a_recipe_has_the_keys_of_its_section_without_defaults_of_its_own():
    # `continues` chooses the weights to start from; training itself does not read it.
    assert [field.name for field in fields(Recipe)] == [
        name for name in Section.model_fields if name != "continues"
    ]
    with pytest.raises(TypeError, match="missing 15 required positional arguments"):
        Recipe(optimizer="adam")


def test_a_recipe_holds_what_the_configuration_says():
    section = Section(learning_rate=1e-4, epochs=2, max_steps=7, betas=[0.9, 0.98])
    assert asdict(Recipe(**section.model_dump(exclude={"continues"}))) == section.model_dump(
        exclude={"continues"}
    )
    with pytest.raises(FrozenInstanceError):
        recipe_of().epochs = 3
