"""Names of people and places that the header does not know, found by what stands beside them.

A cue is found in folded text, the name after it in the text itself, by its capitals.
"""

import re
from collections.abc import Iterator

from data_prep.deid.lists import NOUNS, Kind, kind_of, language_of, names
from data_prep.deid.words import (
    EPONYMS,
    INSTITUTION,
    PLAIN_TEXT,
    is_clinical,
    is_ordinary,
    words_of,
)
from data_prep.folding import fold

Span = tuple[int, int, str]

PARTICLE = (
    r"(?:[Vv]on|[Vv]an|[Dd]e|[Dd]er|[Dd]en|[Dd]el|[Dd]ella|[Dd]i|[Dd]a|[Dd]os|[Dd]u|[Ll]a|[Ll]e|[Ee]l"
    r"|[Aa]l|[Zz]u|[Bb]in|[Ii]bn|[Tt]en|[Tt]er|[Ss]t\.?|y|[Aa]p|[Mm]ac|[Mm]c)"
)
JOIN = r"(?:[dDlL](?:ell)?['’]|[Oo]['’])"
WORD = rf"(?:{JOIN}?[A-ZÀ-ÖØ-ÞŁŠŽĐİŞ][\w'’]*[a-zA-ZÀ-ÿ](?:[-‐][\w'’]+)*|[a-z]{{2}}-[A-Z]\w+)"
INITIAL = r"(?:[A-ZÀ-Þ]\.?(?:-[A-Z]\.?)?(?![\w'’]))"
PIECE = re.compile(rf"(?:{PARTICLE}(?:[ -]+{PARTICLE})?[ -]+)?{WORD}|{INITIAL}")
SPACE = re.compile(r",?[ \t]+|(?<=\.)(?=[A-ZÀ-Þ])")
AND = re.compile(r"\s*(?:,|/|&|\b(?:and|und|et|y|e)\b)\s*")
MOST_WORDS = 4

TITLE = (
    r"(?:dr\.?ssa|dra?s?|dott(?:\.?\s?ssa|oressa|or|ore)?|mrs|mr|ms|miss|mister|sir|dame|herrn?|hr|frau"
    r"|mme|mlle|madame|monsieur|prof(?:essor|esseur|essore|esor)?|pr|sr|sra|srta|senor|senora|don|dona"
    r"|sig(?:\.ra|\.na|nora|nor|nore)?|dhr|mevr|mw|oa|oberarzt(?:in)?|chefarzt(?:in)?"
    r"|assistenzarzt(?:in)?|arztin|arzt|pd|lic|lcdo|lcda|sister|nurse|rev|doctor|docteur|doctora"
    r"|overl[ae]ge|professora|doutor|doutora|kinderarzt(?:in)?|hausarzt(?:in)?)"
)
AFTER_TITLE = r"(?:\.|\b)(?:\s*(?:med|univ|habil|rer|nat|dent|phil|dr|prof|h\.c)\b\.?)*\s*"
BY = (
    r"(?:(?:(?:electronically |digitally )?(?:signed|verified|approved|finali[sz]ed|authenticated)"
    r"|dictated|transcribed|typed|read|reported|interpreted|reviewed|referred|requested|ordered|performed"
    r"|scanned|seen|co-?signed|supervised|attested|checked|protocol(?:l)?ed)(?: (?:on|electronically))?"
    r" by(?: (?:radiographer|technologist|colleague|fellow|resident))?"
    r"|(?:discussed|reviewed|agreed|communicated|shared|spoke|spoken|relayed)(?: \w+)? (?:with|to|w/)"
    r"|d/w|w/|attn|attention|thanks to|thank you(?: to)?|colleague|forward(?:ed)? to|copy to|on behalf of"
    r"|signed|signature|signe(?: par)?|valide par|adresse(?:e)? par|dicte par|relu par|redige par"
    r"|vu par|realise par|firmado(?: (?:por|digitalmente))?|informado por|validado por|revisado por"
    r"|remitid[oa] por|dictado por|realizado por|elaborado por|firmato(?: digitalmente)?(?: da)?"
    r"|refertato da|validato da|inviat[oa] da|eseguito da|dettato da|gez|befundet(?: von)?"
    r"|diktiert(?: von)?|freigegeben(?: von)?|unterzeichnet(?: von)?|vidiert(?: von)?|uberwiesen von"
    r"|besprochen mit|assinado por|laudado por|ondertekend door|undertecknad av)"
)
ROLE = (
    r"(?:attending|resident|fellow|radiologist|cardiologist|physician|technologist|tech|radiographer"
    r"|nurse|surgeon|consultant|registrar|operator|interpreter|sonographer|referrer|referring(?: \w+)?"
    r"|requester|gp|ref|cc|reader|reporter|author|provider|anesthesiologist|zuweiser(?:in)?"
    r"|schreibkraft|mtra?|radiologue|cardiologue|operateur|interne|infirmiere?|manip(?:ulateur)?"
    r"|correspondant|medico(?: \w+)?|solicitante|derivado|radiologo|cardiologo|kinesiologa?|enfermer[ao]"
    r"|tecnico|tsrm|infermier[ae]|chirurgo|chirurgien|operatore|anaesthetist|midwife|social worker)"
)
RELATIVE = (
    r"(?:wife|husband|son|daughter|mother|father|brother|sister|partner|spouse|carer|caregiver|guardian"
    r"|uncle|aunt|cousin|grand(?:mother|father|son|daughter)|next of kin|nok|ehefrau|ehemann|tochter"
    r"|sohn|mutter|vater|bruder|schwester|lebensgefahrt(?:e|in)|mari|femme|epou(?:x|se)|fille|fils|mere"
    r"|pere|frere|soeur|sour|conjointe?|compagnon|compagne|marido|esposa?|espos[oa]|hij[oa]|madre|padre"
    r"|herman[oa]|acompanante|moglie|marito|figli[oa]|fratello|sorella|compagn[oa]|familiare)"
)
SELF = (
    r"(?:patient(?:e|in|s)?(?:\s*name)?|paziente|paciente|(?:pt|pz)\b\.?|pat\.?(?:\s*name)?|name|nom|nombre"
    r"|apellidos|cognome|nome|nachname|vorname|surname|forename|nee|geb|nata|alias|aka|formerly"
    r"|geborene|accompanied by|witness)"
)
CLOSING = (
    r"(?:sincerely|(?:kind |best |warm )?regards|mit freundlichen gruss?en|mfg|cordialement"
    r"|confraternellement|atentamente|saludos(?: cordiales)?|(?:distinti|cordiali) saluti|hoogachtend"
    r"|met vriendelijke groet(?:en)?|atenciosamente|med venlig hilsen)"
)
POINT = r"[\s]*[:,(=|#-]*\s*"
TITLED = rf"(?:{TITLE}\b{AFTER_TITLE})"
NEXT_TITLE = re.compile(TITLED)
SURE, LIKELY, WEAK = 2, 1, 0  # how far a cue is to be trusted against a word of medicine
CUES = (
    (re.compile(rf"\b{TITLE}{AFTER_TITLE}"), SURE),
    (re.compile(rf"\b{CLOSING}\b{POINT}{TITLED}*"), SURE),
    (re.compile(rf"\b{BY}\b\.?{POINT}{TITLED}*"), LIKELY),
    (re.compile(rf"\b{ROLE}\b{POINT}{TITLED}*"), WEAK),
    (re.compile(rf"\b{RELATIVE}\b{POINT}{TITLED}*"), WEAK),
    (re.compile(rf"\b{SELF}\b{POINT}{TITLED}*"), WEAK),
)
INITIALS = re.compile(
    rf"(?:\b(?:{ROLE}|{BY})\s?[:/-]\s?|/\s?)([a-z]{{2,3}})(?=[\s.]*(?:$|[\n/,;.]))", re.M
)
# These are findings in capitals and units in small letters.
TITLES_AS_WRITTEN = words_of("ms pr sr don sig oa pd hr lic miss sir rev sister dame mw m pat pt")
CREDENTIAL = re.compile(
    r",?\s+(?:M\.?D|MBBS|MBChB|MB BCh|FRC[RP]|FRACP|FRANZCR|FACC|FACR|FSCMR|Ph\.?D|D\.?O|RN|RT\(R\)"
    r"|MRCP|FESC|Consultant|Facharzt|Radiologist|Cardiologist)\b"
)
BEFORE_TITLE = re.compile(r",\s*(?:Dra?|Prof|Dott|MD)\b\.?")
DICTATION = re.compile(
    r"(?:^|(?<=[\s./-]))[A-Z]{2,3}\s?/\s?[a-z]{2,3}\b(?=[\s.:]*(?:$|\n|[DT]:))", re.M
)
SIGNATURE = re.compile(rf"[.!)]\s+[-–—~/]+\s?({WORD}|[A-Z]{{2,3}})[ \t.]*$", re.M)
INSTITUTE = (
    r"(?:[Hh]ospitals?|HOSPITALS?|(?:Medical|MEDICAL|Heart|Cardiac|Health|Imaging) (?:Cent(?:er|re)|CENT(?:ER|RE))"
    r"|Clinic|CLINIC|Infirmary|INFIRMARY|Imaging|Radiology|Hospice|Medical Group|Health System|Healthcare"
    r"|(?:Primary|High|Grammar) School|School|University|Children['’]s|(?:Nursing |Care )?Home|Institute"
    r"|Surgery Practice|Medical Practice|Health Centre|Laborator(?:y|ies)|Rheumatology Unit|Cardiology Unit)"
)
NAMED = re.compile(
    rf"(?<![\w'’])((?:(?:St\.?|Saint|of|the|and|&|Our|{WORD})[ ]){{1,5}}){INSTITUTE}\b"
    rf"(?: (?:of|at) {WORD}(?: {WORD})?)?"
)
OF = r"(?:(?:de|del|della|dei|di|du|des|la|le|las|los|les|el|San|Santa|Saint|St\.|der|am|zu|d['’]|l['’])\s*)*"
HOUSE = re.compile(
    r"\b((?i:h[oô]pital|clinique|cl[ií]nica|ospedale|policlinico|presidio|casa di cura|centre hospitalier|c\.?h\.?u"
    r"|chr|aou|asst|irccs|ysbyty|universit[aä]tsklinikum|klinikum|kreiskrankenhaus|krankenhaus|hospital"
    r"|herzzentrum|praxis|mvz|instituto|istituto|fundaci[oó]n|cabinet m[eé]dical|laboratoire|centro m[eé]dico"
    r"|ziekenhuis|aseguradora|mutua|residencia|sanatorio|collège|école|colegio|scuola))"
    rf"\s+{OF}({WORD}(?:[ -](?:{OF})?{WORD}){{0,3}}(?:,\s{WORD})?)"
)
COMPOUND = re.compile(
    r"\b[A-ZÀ-Þ][\wÀ-ÿ-]*(?:klinikum|krankenhaus|hospital|klinik|spital|ziekenhuis|sjukhus(?:et)?|sykehus)"
    rf"(?:\s{WORD})?"
)
FROM = re.compile(
    r"\b(?:transferred (?:from|to)|transfer (?:from|to)|presso|drove from|lives in|resident of|residing in"
    r"|wohnhaft in|residente (?:a|en|in)|domicilie a|habite a|travelled from|images from|scan from"
    r"|study from|trasferito a|proveniente da|procedente de)\s+"
)


def spans(text: str, folded: str) -> Iterator[Span]:
    """People after a cue or before a title, in signatures; places by their kind or a cue."""
    language = language_of(folded)
    for pattern, trust in CUES:
        for cue in pattern.finditer(folded):
            if not _is_finding(text, cue):
                yield from _people(text, cue.end(), trust, "NAME", language)
    yield from _signatures(text, folded)
    yield from _places(text, folded, language)


def _is_finding(text: str, cue: re.Match[str]) -> bool:
    """MR, MS, PR, SR and the like are findings and `ms` a unit; a title is written Ms."""
    found = re.match(r"\w+", text[cue.start() : cue.end()])
    word = found.group() if found else ""
    if word.islower():
        return word in TITLES_AS_WRITTEN
    if not word.isupper() or word.lower() not in TITLES_AS_WRITTEN | {"mr"}:
        return False
    after = re.match(r"\s*([A-ZÀ-Þ'’-]{4,})\b", text[cue.end() :])
    return after is None or is_clinical(fold(after[1])) or is_ordinary(fold(after[1]))


def _people(text: str, start: int, trust: int, kind: str, language: str) -> Iterator[Span]:
    """The name that begins at `start`, and those joined to it by a comma or an `and`."""
    while (end := _name_end(text, start, trust, language)) is not None:
        yield start, end, kind
        joined = AND.match(text, end)
        if joined is None or trust == WEAK:
            return
        start = joined.end()
        if title := NEXT_TITLE.match(fold(text), start):
            start = title.end()


def _name_end(text: str, start: int, trust: int, language: str) -> int | None:
    """Where a name from `start` ends; None where no name begins there."""
    end, at, words = None, start, 0
    while words < MOST_WORDS and (piece := PIECE.match(text, at)):
        if not _may_be_name(piece.group(), trust, words, language):
            break
        words += 1
        if len(piece.group().strip(".")) > 1 or words > 1 or trust:
            end = piece.end()
        gap = SPACE.match(text, piece.end())
        if gap is None or ("," in gap.group() and words > 2):
            break
        at = gap.end()
    return end


def _may_be_name(piece: str, trust: int, before: int, language: str) -> bool:
    """Whether a capitalised piece can be of a name, `before` pieces into one."""
    if len(piece.strip(".")) == 1:
        return True
    words = [w for w in re.split(r"[\s.'’-]+", fold(piece)) if len(w) > 2] or [fold(piece)]
    if trust == SURE:
        return not any(w in PLAIN_TEXT for w in words)
    kinds = [kind_of(w, language, anywhere=language in NOUNS) for w in words]
    if all(kind <= Kind.DAILY and w not in names() for w, kind in zip(words, kinds, strict=True)):
        return False
    if any(is_ordinary(w) or w in INSTITUTION or w in EPONYMS for w in words):
        return before > 0 and all(w in EPONYMS for w in words)
    return trust == LIKELY or not piece.isupper() or (len(piece) > 3 and before > 0)


def _signatures(text: str, folded: str) -> Iterator[Span]:
    for pattern in (CREDENTIAL, BEFORE_TITLE):
        for found in pattern.finditer(text):
            before = re.search(
                rf"((?:{WORD}|{INITIAL})(?:,?[ ](?:{WORD}|{INITIAL})){{0,3}})$",
                text[: found.start()],
            )
            if before:
                words = before[1].split()
                keep = [w for w in words if len(w) < 3 or not is_ordinary(fold(w.strip(".,")))]
                if keep and (len(keep) > 1 or pattern is BEFORE_TITLE) and words[-1] == keep[-1]:
                    yield before.start(1) + before[1].index(keep[0]), found.start(), "NAME"
    for found in INITIALS.finditer(folded):
        if text[found.start(1) : found.end(1)].isupper() and found[1] not in PLAIN_TEXT:
            yield *found.span(1), "NAME"
    for found in DICTATION.finditer(text):
        yield found.start(), found.end(), "NAME"
    for found in SIGNATURE.finditer(text):
        if not is_ordinary(fold(found[1])):
            yield found.start(1), found.end(1), "NAME"


def _places(text: str, folded: str, language: str) -> Iterator[Span]:
    for found in NAMED.finditer(text):
        for word in re.finditer(r"[^\W\d_]+", found[1]):
            if _is_place_name(fold(word.group())):
                yield found.start() + word.start(), found.end(), "PLACE"
                break
    for found in HOUSE.finditer(text):
        if not is_ordinary(fold(re.split(r"[\s-]", found[2])[0])):
            yield found.start(), found.end(), "PLACE"
    for found in COMPOUND.finditer(text):
        yield found.start(), found.end(), "PLACE"
    for cue in FROM.finditer(folded):
        yield from _people(text, cue.end(), WEAK, "PLACE", language)


def _is_place_name(word: str) -> bool:
    if word in ("st", "saint"):
        return True
    return not (is_ordinary(word) or word in EPONYMS or word in INSTITUTION)
