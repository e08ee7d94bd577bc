"""How often Python looks for garbage in this process."""

import gc

FEW_OBJECTS = 20_000
_OBJECTS_OF_A_SAMPLE = 6  # its labels and what it was made of, with some room


def collect_seldom(samples: int) -> None:
    """Have garbage looked for when more objects are new than a scrape of so many samples makes.

    They are none before the next scrape replaces them: on a host of 300 sites, whose 73,000 samples
    are looked through again and again, that takes a tenth of each scrape.
    """
    gc.set_threshold(max(FEW_OBJECTS, samples * _OBJECTS_OF_A_SAMPLE), 10, 10)
