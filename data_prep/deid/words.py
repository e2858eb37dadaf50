"""Words that are no names, wherever they stand: of medicine, of sentences, of institutions.

A capital letter says little: sentences, German nouns, eponyms, templates and dictation in
capitals have them too.  All words here are folded: lower case, no accents.
"""

import re


def words_of(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


EPONYMS = words_of(
    """
    abbott agatston alagille alcapa amplatzer anderson andersen arantius ashman bachmann barlow
    barth batista beck becker behcet bentall bernheim bernoulli betts bezold bisping bjork blalock
    bland boyden bruce brugada budd burkitt cabrol cantrell carney carpentier chagas char charcot
    chiari churg cockayne conn costello coumel cushing danielson danon darling davies david dandy
    debakey dor doppler dressler dubin duchenne duke ebstein edwards ehlers eisenmenger ellis
    emery evans fabry fallot fick fontan fontaine forrester fourier framingham friedreich
    friedrich gerbode glenn goldenhar gorlin graves hancock hans heath hegar hill his holmes holt
    hughes hunter hurler jacquier janeway jarvik jatene jervell kartagener kawasaki kay kearns kent
    kerley killip konno korotkoff kounis kugel kussmaul kiener lambl lange lecompte lenegre leopard
    lev libman liddle litten loeffler loffler loeys louis dietz lown lake louise lutembacher maron
    marfan maron marshall maze mckusick melody morquio morrow mosteller mullins mustard naxos
    nielsen noonan norwood nyquist osler padua padova padoue parkes pascal pascals pearson pennell
    perugini petersen pompe poiseuille potts prinzmetal purkinje raghib rashkind rastelli
    raynaud rendu reynolds ritter rokitansky ross roger romano ward sachs sandler sano sapien
    schwartz sellors senning seldinger shone shy simpson sievers sones stanford starr stenson
    still stokes stovin strauss swan ganz sylvius takayasu takotsubo taussig tebbs teichholz
    tetralogy thebesius thebesian thompson trendelenburg turner uhl valsalva van creveld vieussens
    virchow waterston warden weber wegener wenckebach whipple white wolff parkinson williams wilson
    wolf hirschhorn yacoub yamaguchi jude gianturco greulich holter cournand swyer shprintzen
    digeorge down edwards klinefelter patau rubinstein taybi sokolow lyon cornell romhilt estes
    bazett fridericia kaplan meier bland altman cox hounsfield larmor nyquist dixon look locker
    molli shmolli sasha medis siemens philips ge canon signa magnetom ingenia achieva avanto aera
    skyra prisma vida sola artist discovery circle cvi qmass segment osirix
    hand foot mouth roma ghent takeda bosch hashimoto basedow morbus sjogren crohn gaucher
    hurler niemann pick tay loeb morgagni koch eustachian eustachio bianchi rossi
    """
)
# Surnames that are also plain words: as header names they count beside another name alone.
PLAIN = words_of(
    """
    april art august band banks base bauch best bill black blood bone bridge brown case cave
    chambers church close cook cord costa cross cruz corazon day dolores early east fast fein fett
    field fields fine flow foot free fuchs gates good grand gray green grey gross grosse gros gut
    hale hall hand hard head heart herz high hill hole home house hunter jung june klein kopf
    kurz lang large light little lock long low luna lung major march mark marks may mean miles
    minor monte moon neu new noble north old pace page park peak petit petite piccolo pool power
    price prior rate reading rich ring rivers root rose roth rot santos schwarz self shaw sharp
    short single small south speed spring star still stone strand strong stroke summer sweet swift
    tall temple test tract trunk valle vena view wall wave weeks weiss west will winter wise wood
    woods worth young conti fuente fuentes flor leon mar rio rey reyes campo campos vogel stark
    bach berg brand sommer stahl stein wolf winkel ring lee bent bell ball barber drew
    """
)
INSTITUTION = words_of(
    """
    general heart cardiac cardiology cardiovascular center centre hospital medical clinic clinique
    clinica hopital ospedale klinik klinikum universitatsklinikum krankenhaus herzzentrum university
    universitaria universitario universitaire infirmary institute institut instituto istituto
    regional royal national memorial health healthcare system trust foundation imaging radiology
    department dept childrens children's children kinder and the for von der des del della dello
    hospitalier centro casa cura area district community county city state saint sankt santa san
    school house home nursing care group associates partners practice surgery laboratory unit ward
    private public advanced diagnostic diagnostics mri mr cmr radiologia cardiologia medico medica
    cabinet port policlinico aou chu praxis service inc ltd gmbh llc
    """
)
# Words of sentences and templates that begin with a capital, or follow a cue in capitals.
PLAIN_TEXT = words_of(
    """
    a about absent after again against age aged agree ago all also although am among an and another
    any are arrange as at available baseline be because been before below best beside between both
    but by call came can case cc clinic clinical clinically compared comparison complete concern
    conclusion confirmed consent consider consistent contact copy correlate correlation could date
    day days decreased demonstrates denies did discuss discussed discussion does done due during
    each early end evidence exam examination extensive false features few final findings follow
    followup following for from full further general given good had has have having he hence her
    here high his history home hours how however i if image images imaging impaired impression in
    incidental increased indeterminate indication informed interval into intact is it its known last
    late left less life likely limited line list located low lower made management many may mdt mean
    measured measures medical meets mild mildly mild-to-moderate minimal minor missing moderate
    moderately months more most mri must my name near nearly negative new next nil no non none nor
    normal not note noted now number of off old on once one only or other otherwise our out outside
    over overall page part partial patchy patent patient patients pending per phone please pm
    positive possible possibly post pre present previous previously prior probable probably
    procedure quantification raised ratio re reason recent recommend recommended reduced regarding
    remains report reported reports request requested result results review reviewed right s same
    scan see seen send sent serial seven several severe severely she should show showed shows side
    significant signed similar since single size slight slightly small so some stable status still
    study subtle such suggest suggested suggestive summary surgery suspected symptoms team than
    thank that the their them then there therefore these they this those though three thus time to
    today total transcribed treatment trivial true two type unchanged under unit unlikely until up
    upper urgent us was we week weeks well were when where which while who will with within without
    worse would year years yes yesterday you your six ten four five eight nine first second third
    der die das des dem den ein eine einer eines einem einen kein keine keiner und oder mit ohne bei
    im in am an auf aus von vom zu zum zur nach vor uber unter fur durch seit bis ist sind war wird
    wurde nicht noch auch als wie sehr gut es er sie wir ich bitte herr frau patient patientin
    befund beurteilung untersuchung verlauf kontrolle empfehlung hinweis nachweis zustand verdacht
    termin klinik praxis station geboren jahre jahr monate wochen tage uhr datum heute gestern
    le la les l un une du de d au aux et ou avec sans pour par sur dans en est sont a ete pas ne ce
    cette ces il elle nous vous je patient patiente examen bilan resultat conclusion avis suite
    homme femme ans mois jours controle absence presence aspect
    el los las lo una uno del al y o e con sin por para sobre entre en es son fue no se su sus
    paciente estudio informe fecha control hombre mujer anos meses dias sin presencia ausencia
    i gli uno una dello della dei degli delle nel nella al alla dal dalla con senza per su tra fra e
    ed o non si paziente esame referto data ora uomo donna anni mesi giorni assenza presenza esami
    male female man woman boy girl gentleman lady child infant person caller family relative carer
    cardiology cardiologist radiology radiologist surgery surgeon surgical medicine oncology
    rheumatology genetics haematology hematology paediatrics pediatrics nephrology neurology
    service services department dept hospital ward icu ccu emergency nurse nursing doctor doctors
    physician physicians consultant registrar resident fellow attending referring gp team mdt
    technologist radiographer technician operator staff specialist clinician provider
    kardiologie radiologie cardiologie chirurgie cardiologia radiologia chirurgia cirugia hausarzt
    chefarzt oberarzt facharzt assistenzarzt medecin medico medica cardiologue radiologue cardiologo
    name dob sex mrn acc loc ref tel fax email phone id nhs ssn page exam date study bed room
    dr dra doktor prof med dott mr mrs ms sr sra mme atentamente saluti saludos cordialement sincerely
    regards grussen gruben grusen herrn van von
    bp hr ecg ekg ef lv rv la ra lge cmr mr ct pet icd crt pci cabg vt af hcm dcm arvc lvef
    """
)
# Beginnings and ends that words of medicine share in six languages.
STEMS = re.compile(
    r"(?:a?symmetr|abla[tz]|abnorm|adenosi|akin|akut|amylo|aneur|anevr|angina|angio|anomal|anter"
    r"|antero|aort|apic|apik|arrhyt|arryth|arter|asphyx|athero|atres|atri|auricul|autosom|baffle|basal"
    r"|bicusp|bikusp|biventri|block|bronch|bypass|calcif|cancer|capill|cardi|carot|cavity|chamb|chord"
    r"|chron|circumf|coarct|coloni|concent|conduct|conges|congen|constric|contrac|contrast|corona"
    r"|crista|cyano|defect|defekt|degen|derrame|diabet|diaphr|diast|diffus|dilat|dissec|distal|dobut"
    r"|dyskin|dyspl|dyspn|ectas|eject|ejekt|embol|endoc|endom|endot|enhanc|enlarg|eosin|epicard"
    r"|epikard|erguss|fenestr|fibr|fistul|flow|fraction|fraktion|fracci|frazione|function|funktion"
    r"|funzion|gado|gradien|graft|haem|hamat|hemat|hemod|hepat|herz|hibern|homograft|hydro|hyper"
    r"|hyperten|hypert|hypo|ictus|implant|infarc|infark|infarto|infer|inflam|inferol|insuff|insuf"
    r"|interat|interven|intram|isch|isqu|kammer|kardi|klappe|koron|later|lesion|leak|linksv|lipom|lung"
    r"|lymph|malform|mapping|marrow|mass|median|mediast|membran|metast|mid|mitr|morph|muscul"
    r"|muskel|myo|myx|narbe|necro|nekro|neoplas|neuro|obstruc|occlu|odem|oedem|edem|ostium|parox"
    r"|patholog|perfus|perforat|peri|plaque|pleur|polyp|postop|prolaps|prosth|proxim|pseudo|pulmo"
    r"|rechtsv|realce|regurg|rehaus|relax|renal|respir|restric|retard|rhyth|rhabdo|ruptur|sarco|scler"
    r"|segmen|sept|shunt|sinus|spleen|stenos|steno|sten[ot]|stent|stress|subaort|subend|subep|subendo"
    r"|supra|syndr|synk|syncop|systol|sistol|tachy|territ|tetral|thalas|thick|thorac|thorax|throm"
    r"|tissue|trabec|transm|transp|transth|tricus|trikus|tromb|tumor|valv|varic|vascul|vaso|venous"
    r"|vena|ventri|ventrik|viab|vorhof|volum|vorderw|hinterw|seitenw|wandb|zirk)"
)
ENDS = re.compile(
    r".{4,}(?:itis|osis|oses|osen|omas?|pathy|pathies|pathien?|patias?|aemia|emia|amie|ismus|ismo|isme"
    r"|ungen|ung|heit|keit|schaft|tion|tions|tionen|sion|sions|sioni|zione|zioni|cion|ciones|sione|itat|ite"
    r"|graphy|graphie|grafia|scopy|ectomy|ektomie|ectomia|ectomie|plasty|plastie|plastica|plastia"
    r"|gram|gramm|gramma|ology|ologie|ologia|ologist|metry|metrie|sclerosis|stenosis|megaly|arterie"
    r"|klappe|infarkt|erkrankung|fehler|krebs|syndrom|wand|druck|fluss|masse|funktion|narbe|jahrige?r?)$"
)


def is_clinical(folded: str) -> bool:
    """Whether a folded word belongs to medicine: an eponym or a term."""
    return folded in EPONYMS or bool(STEMS.match(folded)) or bool(ENDS.fullmatch(folded))


def is_ordinary(folded: str) -> bool:
    """Whether a folded word, capitalised after a cue, is no name."""
    return folded in PLAIN_TEXT or bool(STEMS.match(folded)) or bool(ENDS.fullmatch(folded))


def is_ambiguous(folded: str) -> bool:
    """Whether a name of the header is also a word that must survive."""
    return folded in PLAIN or folded in PLAIN_TEXT or is_clinical(folded)
