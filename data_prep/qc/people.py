"""Everything a finished build says to people, into its folder."""

import pathlib

from data_prep.deid.pseudonym import Pseudonyms
from data_prep.qc import card, contact_sheet, page, rejects
from data_prep.qc.account import Account
from data_prep.qc.page import Facts
from data_prep.qc.shards import Shards
from data_prep.qc.survey import survey


def write(out: pathlib.Path, account: Account, pseudonyms: Pseudonyms, facts: Facts) -> None:
    """Writes rejects.csv, contact_sheet.png, qc.html and README.md from the shards in OUT."""
    rejects.write(out, account, pseudonyms)
    shards = Shards(out)
    found = survey(shards)
    sheet = contact_sheet.choose(shards, found)
    contact_sheet.write(out, shards, sheet)
    text = page.page(account, pseudonyms, facts, shards, found, sheet)
    (out / page.FILE).write_text(text, encoding="utf-8")
    (out / card.FILE).write_text(card.card(account, facts, found), encoding="utf-8")
