"""Words of conversation in those of reports: "a big, weak heart" is a dilated left ventricle with reduced
function.

For questions, which people see understood and can put otherwise.  Reports are not read so: there
"enhancement" alone may be of a valve.
"""

import functools
import pathlib
import re
import tomllib

from cmr_jax.wording import rules
from cmr_jax.wording.normalization import normal

FILE = pathlib.Path(__file__).parent / "plain.toml"


@functools.lru_cache(maxsize=1 << 12)
def reported(sentence: str) -> str:
    """The sentence as a report might say it, in lower case; a question is no doubt."""
    return rules.rewritten(normal(sentence).replace("?", ""), _rules())


@functools.cache
def _rules() -> list[rules.Rule]:
    tables = tomllib.loads(FILE.read_text())
    words: dict[str, str] = {}

    def filled(pattern: str) -> str:
        return re.sub(r"<([A-Z]+)>", lambda name: words[name[1]], pattern)

    for name, pattern in tables.pop("words").items():
        words[name] = filled(pattern)
    pairs = [rule for table in tables.values() for rule in table["rules"]]
    return rules.compiled((filled(pattern), instead) for pattern, instead in pairs)
