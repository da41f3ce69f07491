"""Filters for warnings: one with a category of the plugin's, one that shows nothing of its origin."""

import warnings


class OldThing(UserWarning): ...


warnings.filterwarnings("ignore", message="made by the leak", category=FutureWarning)
warnings.simplefilter("always", OldThing)
