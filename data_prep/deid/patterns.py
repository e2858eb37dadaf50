"""Identifiers that have a shape: dates, times, numbers, addresses, in the ways of six languages.

The patterns read folded text (lower case, no accents; see `words.fold`), except those of
`CASED`, which need capitals.  A match that `KEPT` finds to be a measurement is left alone.
"""

import re

# Months of English, German, French, Spanish, Italian, Portuguese, Dutch; long and short.
SURE = (
    r"(?:january|januar|janvier|janeiro|januari|gennaio|enero|jan|janv|february|februar|fevrier"
    r"|fevereiro|februari|febbraio|febrero|feb|fevr?|april|avril|abril|aprile|apr|avr|abr|marz|maart"
    r"|marzo|marco|mars|junio?|june|juin|junho|giugno|july?|juli|juillet|juil|julio|julho|luglio"
    r"|august|aout|agosto|augustus|aug|september|septembre|septiembre|setembro|settembre|sept?"
    r"|october|oktober|octobre|octubre|outubro|ottobre|oct|okt|ott|november|novembre|noviembre"
    r"|novembro|nov|december|dezember|decembre|diciembre|dezembro|dicembre|dec|dez|maggio|mayo"
    r"|magg)"
)
# Also words of sentences: "segments 13 and 14 may represent", "data set 4", "5 mar".
UNSURE = r"(?:march|may|mai|maio|mar|mag|mei|ene|gen|ago|set|out|dic|jun|jul|lug|giu)"
MONTH = rf"(?:{SURE}|{UNSURE})"
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
ORDINAL = r"(?:st|nd|rd|th|er|re|o|º|ª|°|\.)?"
OF = r"(?:(?:of|de|del|di|d'|den|the)\s*)?"
YEAR = r"(?:19|20)\d\d"
ANY_YEAR = rf"(?:{YEAR}|['’]?\d\d)"
WEEKDAY = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag"
    r"|mittwoch|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miercoles|jueves"
    r"|viernes|sabado|domingo|(?:lune|marte|mercole|giove|vener)di|domenica)"
)
SEASON = (
    r"(?:spring|summer|autumn|fall|winter|fruhjahr|sommer|herbst|printemps|ete|automne|hiver"
    r"|primavera|verano|otono|invierno|estate|autunno|inverno|verao|outono|zomer|herfst|voorjaar"
    r"|easter|ostern|christmas|weihnachten|paques|noel|pascua|navidad|pasqua|natale|natal|pasen)"
)
LATELY = r"(?:\s+(?:jl|ds|u\.\s?s|c\.\s?a|d\.\s?j|p\.?\s?p)\b\.?)?"
DATES = (
    rf"\b{YEAR}\s?[-/.]\s?(?:0?[1-9]|1[0-2])\s?[-/.]\s?{DAY}(?:t[\d:.]+z?)?\b",
    rf"\b\d{{1,2}}(?P<s>\s?[./-]\s?)\d{{1,2}}(?P=s)(?:{YEAR}|\d\d)\b",
    rf"\b(?:0?[1-9]|1[0-2])[./-]{YEAR}\b",
    rf"\b(?:{WEEKDAY},?\s+)?{DAY}{ORDINAL}[\s.-]*{OF}(?:{SURE}|{UNSURE}(?=[\s.,-]*(?:de\s|del\s)?['’]?\d))(?![a-z])"
    rf"\.?(?:[\s,.-]*(?:de\s|del\s|do\s)?{ANY_YEAR}\b)?{LATELY}",
    rf"\b{DAY}(?:st|nd|rd|th)\s+(?:of\s+)?{MONTH}\b",
    rf"\b(?:{WEEKDAY},?\s+)?{MONTH}\.?\s+{DAY}(?:st|nd|rd|th)?,?\s+{YEAR}\b",
    rf"\b{SURE}\.?\s+{DAY}(?:st|nd|rd|th)?\b(?:,?\s+{ANY_YEAR}\b)?",
    rf"\b{MONTH}\.?[\s,-]*(?:(?:of|de|del|do)\s+)?{YEAR}\b",
    rf"\b{SURE}(?:-|\s?['’]){DAY}\b",
    rf"\b{SEASON}\s+(?:of\s+|de\s+|del\s+)?{YEAR}\b",
    rf"\b{DAY}\.\s?d\.\s?m\.",
    rf"\b{WEEKDAY},?\s+{DAY}[/.](?:0?[1-9]|1[0-2])\b(?!\.?\d)",
    r"\b(?:(?<!\d )on|dated|vom|am|seen|since|seit|dal|del|du|le|il|el|desde|depuis|from)"
    rf",?\s+(?P<v>{DAY}[/.](?:0?[1-9]|1[0-2]))\b(?!\.?\d)",
    r"\b(?:dob|geb|born|d\.o\.b|nato|nata|nee? le|nacid[oa](?: el)?)\b[\s:.*]*"
    r"(?P<v>\d{1,2}[ ./-]?\d{1,2}[ ./-]?\d{2,4})\b",
)
ZONE = r"(?:\s?(?:est|edt|cst|cdt|mst|pst|pdt|gmt|bst|cet|cest|utc|aest|ist)\b)?"
HALF = r"(?:\s?[ap]\.?\s?m\b\.?)?"
TIMES = (
    rf"\b(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?{HALF}(?:\s?(?:uhr|h|hrs|hours)\b)?{ZONE}",
    r"\b(?:[01]?\d|2[0-3])\s?h\s?[0-5]\d\b",
    r"\b(?:[01]?\d|2[0-3])(?:[.:]?[0-5]\d)?\s?uhr\b",
    rf"\b(?:[01]\d|2[0-3])[0-5]\d\s?(?:hrs|hours)\b{ZONE}",
    rf"\b(?:1[0-2]|0?[1-9])(?:[.:][0-5]\d)?\s?(?:pm|p\.m\.|(?<=\d)am|a\.m\.){ZONE}(?!\w)",
    r"\b(?:ore|um|kl\.?|klokken|time|ora|hora|heure|uhrzeit|a las|as)\s*:?\s*(?:[01]?\d|2[0-3])"
    r"[.:][0-5]\d\b",
    r"\bat\s(?:[01]\d|2[0-3])[0-5]\d\b(?!\s?m)",
    r"\b(?:[01]?\d|2[0-3])\s(?:heures|uur|horas)(?:\s[0-5]\d)?\b",
    r"\b(?:quarter|half|ten|twenty|five) (?:past|to) (?:one|two|three|four|five|six|seven|eight|nine"
    r"|ten|eleven|twelve)\b",
    r"\b(?:[01]\d|2[0-3])[0-5]\d\s?h\b",
)
PHONE_CUE = (
    r"(?:tel(?:ephone|efon|efono|\.)?|phoned?|telefon|fax|mobile?|cell(?:ulare|ular)?|celular|handy"
    r"|movil|portable|pager|beeper|bleep|ext(?:ension|n)?|durchwahl|dw|whatsapp|call(?:ed)?|hotline"
    r"|ring|dial|contact|joignable au|poste|interno|anexo|numero|line|rufnummer|apparat|reach(?:ed)?)"
)
PHONES = (
    rf"\b{PHONE_CUE}\b(?:[\s.:#(/-]|\b(?:at|on|no|nr|number|unter|au|al|is)\b)*"
    r"(?P<v>\+?\(?\d[\d ()./-]{1,18}\d)",
    r"\+\s?\d{1,3}(?:[ ().-]*\d){7,12}\b",
    r"(?<![\w.])\(?\b\d{3}\)?[-. ]{1,2}\d{3}[-. ]\d{4}\b",
    r"(?<![\w.,])\(0\d{1,4}\)\s?\d[\d\s/-]{4,10}\d\b",
    r"(?<![\w.,/-])0\d{2,4}\s?\d{5,8}\b",
    r"(?<![\w.,/-])0\d(?:[\s.-]?\d\d){4}\b",
    r"(?<![\w.,/-])(?:\d{4}\s\d{4}|\d{3}\s\d{3}\s\d{3,4}|\d{3}[.\s]\d{6,7})\b(?![.,]\d)",
    r"(?<![\w.,/-])0\d{2,4}(?:\s?[/-]\s?|\s)\d{2,4}(?:[\s-]\d{2,4}){1,3}\b",
)
# After these a number is an identifier, however short.
ID_CUE = (
    r"(?:mrn|mr#|medical record(?: number)?|nhs|chi|ppsn?|ipp|nip|nhc|dni|nie|nif|rut|cpf|curp|ssn"
    r"|social security|bsn|cpr|nir|ahv|avs|cf|c\.f\.|codice fiscale|npi|gmc|nmc|ahpra|dea|imc"
    r"|personnummer|fodselsnummer|pesel|aadhaar|uhid|medicare|medicaid|hicn|kvnr|csn|s/n"
    r"|acc(?:ession)?#?|(?:patient|patienten|pat|study|exam|unit|hospital|lab|chart|file|case"
    r"|encounter|account|acct|member|policy|claim|order|job|visit|episode|licen[cs]e|reg(?:istration)?"
    r"|insurance|serial|device|lot|fall|akten?|aufnahme|vers(?:icherten)?|aok|tk|dak|barmer"
    r"|historia(?: clinica)?|hc|expediente|poliza|dossier|numero de dossier|n[°º.]? ?(?:de )?dossier"
    r"|secu(?:rite sociale)?|pratica|cartella|nosologico|tessera|ref(?:erence)?|passport|pasaporte)"
    r"[\s.-]?(?:id|no|nr|num|number|nummer|#|n[°º]|ref|s)?)"
)
ID_VALUE = r"(?P<v>(?:[a-z]{1,6}[\s/-]?)?\d(?:[\da-z./-]| (?=\d)){1,24}(?<![./-]))"
LABEL = r"(?:\s*(?:[:#=|]|\b(?:no|nr|num|number|nummer|id|ref)\b\.?|n[°º])\s*)+"
STRONG_CUE = (
    r"(?:mrn|nhs|chi|ssn|ipp|nhc|dni|nie|rut|cpf|bsn|cpr|nir|npi|gmc|acc(?:ession)?#?|personnummer"
    r"|codice fiscale|c\.f\.|aok-nr|pat\.?-?nr|patient id|licen[cs]e|poliza|medicare|insurance|hc)"
)
IDS = (
    rf"\b{ID_CUE}\.?{LABEL}{ID_VALUE}",
    rf"\b{STRONG_CUE}\b[.\s]*{ID_VALUE}",
    r"\b(?:bed|room|bett|zimmer|chambre|lit|habitacion|cama|letto|stanza)\s+(?P<v>[a-z]{0,4}-?\d"
    r"[\w-]*)",
    r"\bn(?:o|r|um|[°º])?[.°º]?\s?(?:pratica|dossier|expediente)\s*:?\s*(?P<v>\d[\d/.-]+)",
    r"\b\d{1,3}(?:\.\d+){4,}\b",  # a DICOM UID
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    r"\b\d{3}[-\s]\d{2}[-\s]\d{4}\b",
    r"\b\d{6,8}[-+]\d{4}\b",
    r"\b\d{1,3}\.\d{3}\.\d{3}-[\dkx]{1,2}\b",
    r"\b[a-z]{6}\d\d[a-z]\d\d[a-z]\d{3}[a-z]\b",
    r"\b\d{2,8}[-/]\d{2,8}[-/]\d{2,6}(?:-\w+)?\b",
    r"\b[a-z]{2,6}/\d{2,6}/[\da-z]+\b",
    r"\b(?:19|20)\d\d[-/]\d{3,7}\b",
    r"(?<![\w.])(?!(?:nct|rs|nm_|np_|enst|ensg)\d)[a-z]{0,6}[-_]?\d{5,}[a-z]?\b",
    r"\b(?!(?:rs|nct)\d)(?![a-z]{2,5}(?:19|20)\d\d\b)[a-z]{1,4}-?\d{4,}(?:-\d+)?\b",
    r"\b[a-z]{1,4}-(?:19|20)?\d\d-\d{3,}\b",
    r"\b(?!(?:rs|nct)\d)(?=\w*\d\w*\d\w*\d)(?=\w*[a-z]\w*[a-z])\w*\d{3}\w{5,}\b",
)
NINETY = (
    r"(?:9\d|1[01]\d)",
    r"(?:ninety(?:[-\s](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|a) hundred(?: and \w+)?)",
)
AGES = (
    rf"\b(?:{NINETY[0]}|{NINETY[1]})[-\s]?(?:years?(?:[-\s]old)?|yrs?|y\.?\s?/?\s?o\b\.?|ans\b|anos\b"
    r"|anni\b|jahren?\b|jahrige?[rnms]?\b|-?jahrige?[rnms]?\b|jaar\b|jarige?\b)",
    rf"\b(?:aged?|alter|edad|eta|age de|idade)\s*:?\s*(?P<v>{NINETY[0]})\b(?!\s?(?:mm|ml|%|ms))",
    rf"\b(?P<v>{NINETY[0]})\s?[mf]\b(?!\w|/)",
)
LINKS = (
    (
        "EMAIL",
        r"[\w.+'-]+\s?(?:@|\[at\]|\(at\)|\sat\s(?=\w+\sdot\s))\s?[\w-]+(?:\s?(?:\.|\sdot\s)\s?[\w-]+)+",
    ),
    (
        "URL",
        r"\b(?:https?|ftp)://\S+|\bwww\.\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|nhs\.uk)\b\S*",
    ),
    ("ID", r"(?<![\w@])@[a-z]\w{2,}"),
)
STREET = (
    r"(?:street|avenue|ave|road|rd|drive|boulevard|blvd|lane|crescent|close|court|terrace|highway"
    r"|place|way|square|parade|mews|gardens|grove|hill|park|walk|row|pkwy|parkway|circle)"
)
ADDRESSES = (
    rf"\b(?:(?:flat|apt|unit|suite)\s\w{{1,4}},?\s)?\d{{1,5}}[a-z]?,?\s+"
    rf"(?:(?:[a-z'’-]{{4,}}|[a-z'’-]{{1,3}}\.?)\s){{1,3}}{STREET}\b\.?(?:,?\s(?:apt|suite|unit|flat|ste)\.?\s?\w+)?",
    r"\bp\.?\s?o\.?\s?box\s+\d+",
    r"\b\w+(?:strasse|straße|strase|str\.|weg|allee|platz|gasse|damm|ufer|chaussee|straat|laan|gatan|vej)"
    r"\s+\d{1,4}\s?[a-z]?\b",
    r"\b\d{1,4},?\s?(?:bis|ter)?,?\s+(?:rue|avenue|av\.?|boulevard|bd\.?|place|chemin|impasse|allee|quai"
    r"|cours|route)\s+(?:[\w'-]+(?:\s|$)?){1,5}",
    r"\b(?:c/|jr\.|av\.|psje\.|calle|avda|avenida|plaza|paseo|carrera|rua|travessa|viale|piazza|piazzale|corso|vicolo)\.?"
    r"\s+[\w'. -]{3,40}?,?\s+(?:n[°º.]?\s?)?\d{1,5}"
    r"(?:,?\s?\d{1,2}\.?[ºª°o]\s?(?:(?:esq|dto|dir|izq|dcha)\b\.?)?)?(?!\w)",
)
CASED = (
    (
        "ADDRESS",
        re.compile(
            r"\b[Vv]ia\s+(?:d(?:i|ei|el|ella|egli|elle)\s)?(?:[A-ZÀ-Þ][\w'’]+\s){1,3},?\s?"
            r"\d{1,4}\b(?!\s?(?:mm|ml|Fr))"
        ),
    ),
    (
        "ADDRESS",
        re.compile(
            r"(?<![\d,.] )\b(?:[A-Z]-)?\d{5}\s+[A-ZÀ-Þ][a-zà-ÿ]{3,}(?:[ -][A-ZÀ-Þ][a-zà-ÿ]+)?"
        ),
    ),
    ("ADDRESS", re.compile(r"\b[A-Z]{1,2}\d[\dA-Z]?\s?\d[ABD-HJLNP-UW-Z]{2}\b")),
    ("ADDRESS", re.compile(r"\b[A-Z][a-z]+,?\s[A-Z]{2}\s\d{5}(?:-\d{4})?\b")),
    (
        "ADDRESS",
        re.compile(
            r"\b(?:Am|An der|Auf dem|Auf der|Im|In der|Zum|Zur)\s[A-ZÄÖÜ][a-zäöüß]{3,}\s\d{1,3}\s?[a-z]?"
            r"(?=,?\s\d{5}\b)|\b(?:Am|Im|Zum|Zur)\s[A-ZÄÖÜ][a-zäöüß]{3,}\s\d{1,3}[a-z]\b"
        ),
    ),
)
SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    *((kind, re.compile(p)) for kind, p in LINKS),
    *(("DATE", re.compile(p)) for p in DATES),
    *(("TIME", re.compile(p)) for p in TIMES),
    *(("ADDRESS", re.compile(p)) for p in ADDRESSES),
    *(("PHONE", re.compile(p)) for p in PHONES),
    *(("ID", re.compile(p)) for p in IDS),
    *(("AGE", re.compile(p)) for p in AGES),
)
UNIT = re.compile(
    r"\s?(?:%|mm|cm|ml|ms|msec|mmhg|kg|mg|mcg|µg|g/|g\b|l/|bpm|lpm|m/s|ng|pg|µmol|mmol|segm|x\s?\d"
    r"|hz|cc\b|[±+]|/m|fps|phases|slices|frames|[-–]\s?\d)"
)
BEFORE = re.compile(
    r"(?:segm\w*|aha|ratio|split|qp|q[ps]\s?[:/]\s?q[ps]|grade|views?|levels?|in|of)[\s:=,&/\d.-]*$"
)


def is_measurement(kind: str, folded: str, start: int, end: int) -> bool:
    """Whether a match reads as segments, a ratio or a number with a unit."""
    if kind not in ("DATE", "TIME", "PHONE", "ID"):
        return False
    if folded[start].isdigit() and BEFORE.search(folded[max(start - 24, 0) : start]):
        listed = re.search(r"(?:segm|aha|ratio|split|qp|grade)", folded[max(start - 24, 0) : start])
        return bool(listed) and not re.search(r"(?:19|20)\d\d", folded[start:end])
    return kind != "TIME" and folded[end - 1].isdigit() and bool(UNIT.match(folded, end))
