"""The words that head, end and sign the sections of a report, in the tongues reports are written in.

Phrases are folded (`fold`) before they are compared, so accents, case and full-width forms do not
matter.  To add a tongue, add its words: nothing else knows any.
"""

import enum
import re

from data_prep.folding import fold


class Kind(enum.Enum):
    """What a heading opens."""

    IMPRESSION = "what the reader makes of the exam"
    SUMMARY = "an impression where no stronger word heads one"
    CLINICAL = "the referrer's impression: an indication where findings follow"
    PRELIMINARY = "an impression that a final one replaces"
    FINDINGS = "what was seen"
    TITLE = "the next exam of a report of several; a title stands alone on its line"
    OTHER = "any other section"
    ADDENDUM = "what was added after the report was signed"
    ORIGINAL = "the report that an addendum stands before"
    END = "a signature or a note on the report: nothing of the section follows"


WORDS: dict[Kind, str] = {
    Kind.IMPRESSION: """
        impression|impressions|imp|conclusion|conclusions|concluding remarks|in conclusion
        in summary|diagnostic impression
        summary impression|final diagnosis|radiological diagnosis|radiologic diagnosis
        imaging diagnosis|mri diagnosis
        beurteilung|beurt|zusammenfassend|zusammenfassende beurteilung|gesamtbeurteilung
        zusammenfassung|fazit|schlussfolgerung
        au total|en synthese|en conclusion|synthese|conclusion diagnostique
        conclusiones|impresion|impresion diagnostica|impresion radiologica|juicio diagnostico
        juicio clinico radiologico|opinion diagnostica|diagnostico radiologico|en resumen
        en sintesis
        conclusione|conclusioni|conclusioni diagnostiche|impressione diagnostica|in conclusione
        in sintesi
        giudizio diagnostico|giudizio conclusivo
        conclusao|em resumo|conclusoes|impressao|impressao diagnostica|opiniao|hipotese diagnostica
        conclusie|samenvattend|conclusies|besluit
        sammanfattning|bedomning|konklusion|slutsats|sammanfattande bedomning
        konklusjon|vurdering|samlet vurdering
        johtopaatos|johtopaatokset|yhteenveto|velemeny|osszefoglalas|osszefoglalo velemeny
        wnioski|wniosek|podsumowanie|rozpoznanie|zaver|shrnuti|zhodnotenie|zakljucak|concluzii
        concluzie
        sonuc|kanaat|izlenim
        заключение|выводы|вывод|висновок|заключение мрт
        συμπερασμα|συμπερασματα|εντυπωση
        印象|诊断印象|诊断意见|影像诊断|影像学诊断|影像印象|结论|意见|放射学诊断|mri诊断|超声提示|检查结论|检查提示
        診斷|印象診斷|影像診斷|診斷意見|結論|放射診斷|診断|画像診断|診断結果|総合診断|まとめ|総評|インプレッション|読影診断
        결론|판독 결론|인상|진단|영상 진단|판독결론
        الخلاصة|الانطباع|מסקנה|סיכום
    """,
    Kind.SUMMARY: """
        summary|report summary|summary of findings|interpretation|interpretations|opinion
        assessment|overall assessment|comment on findings
        mri interpretation|diagnosis|diagnoses|diagnose|diagnostic|diagnostico|diagnosi|bottom line
        wertung|bewertung|interpretazione|interpretacion|interpretacao|resume|resumen|resumo
        samenvatting|opinia|yorum|lausunto|诊断|所见及诊断|의견
    """,
    Kind.CLINICAL: """
        clinical impression|clinical diagnosis|admitting diagnosis|referral diagnosis
        working diagnosis
        provisional diagnosis|klinische diagnose|verdachtsdiagnose|einweisungsdiagnose
        diagnostic clinique|diagnostico clinico|impresion clinica|diagnosi clinica
        sospetto diagnostico
        impressao clinica|klinisk diagnos|klinisk diagnose|rozpoznanie kliniczne|klinik tani
        клинический диагноз|диагноз направления|临床诊断|臨床診斷|臨床診断|임상 진단|임상진단
    """,
    Kind.PRELIMINARY: """
        preliminary impression|preliminary conclusion|initial impression|wet read
        resident impression
        preliminary interpretation|preliminary read|vorlaufige beurteilung|conclusion provisoire
        conclusion preliminaire|impresion preliminar|impressao preliminar|conclusioni preliminari
        предварительное заключение
    """,
    Kind.FINDINGS: """
        finding|findings|result|results|observations|description|report|cardiac findings
        mri findings
        data|body of report|cmr findings
        befund|befunde|beschreibung|ergebnis|ergebnisse
        resultat|resultats|analyse|description des lesions|constatations
        hallazgos|descripcion|resultado|resultados|informe|reperto|reperti|referto|descrizione
        risultati
        achados|descricao|analise|relatorio|laudo|bevinding|bevindingen|verslag|beschrijving
        fynd|utlatande|beskrivning|funn|fund|beskrivelse|loydos|loydokset|kuvaus|lelet|leiras
        opis|opis badania|wynik|wynik badania|popis|nalez|nalaz|descriere|rezultat|bulgular|bulgu
        описание|описание исследования|результаты|протокол исследования|опис
        ευρηματα|περιγραφη
        影像所见|检查所见|影像学表现|影像表现|影像学所见|所见|表现|影像所見|檢查所見|所見|画像所見|検査所見|発見
        소견|판독소견|판독 소견|영상 소견|검사 소견
    """,
    Kind.TITLE: """
        cardiac mri|cardiac mr|cmr|mr angiography|mri angiography|mra|mr angiogram|chest mri
        thoracic mra
        kardio-mrt|herz-mrt|mr-angiographie|irm cardiaque|rm cardiaca|cardio rm|心脏磁共振|心臓mri
    """,
    Kind.OTHER: """
        exam|examination|exam type|study|study type|procedure|procedures|technique|techniques
        protocol
        comparison|comparisons|comparison study|prior studies|indication|indications
        indication for exam
        reason for exam|reason for study|reason for examination|history|clinical history
        clinical information|clinical indication|clinical data|clinical details|clinical question
        past history
        contrast|contrast agent|medication|medications|sedation|complications|adverse events
        recommendation|recommendations|plan|follow up|follow-up|followup|comment|comments|note|notes
        critical result|critical results|critical finding|critical findings|communication
        notification
        measurements|quantitative data|measurement table|limitations|limitation|image quality
        quality
        date|date of exam|patient|patient name|mrn|accession|accession number|dob|date of birth
        status|report status|sequences|key images|key image|images|icd-10|cpt code|icd|location
        referring physician|ordering physician|ordering provider
        noncardiac findings|extracardiac findings|extra-cardiac findings|incidental findings
        non-cardiac findings|end of impression|end of findings|disclaimer|coding|billing|cpt
        fragestellung|klinische angaben|klinik|anamnese|indikation|technik|untersuchung|methode
        kontrastmittel|messwerte|nebenbefund|nebenbefunde|empfehlung|empfehlungen|procedere
        voruntersuchung
        rechtfertigende indikation|klinische fragestellung|vorbefund|vorgeschichte
        technique d'examen|renseignements cliniques|motif|histoire|recommandation|recommandations
        antecedents
        comparaison|protocole|produit de contraste|mesures|destinataire|conduite a tenir
        indicacion|indicaciones|tecnica|datos clinicos|motivo|antecedentes|recomendacion
        recomendaciones
        comparacion|protocolo|contraste|medidas|observaciones|comentario|comentarios|nota
        indicazione|indicazioni|quesito|quesito clinico|tecnica d'esame|anamnesi|raccomandazioni
        note|esame
        confronto|mezzo di contrasto|misure|consigli
        indicacao|recomendacao|recomendacoes|dados clinicos|historia clinica|comparacao|observacao
        indicatie|klinische gegevens|vraagstelling|techniek|advies|aanbeveling|vergelijking
        onderzoek
        anamnes|fragestallning|indikation|teknik|rekommendation|problemstilling
        klinisk problemstilling
        kliniske opplysninger|anbefaling|teknikk|undersogelse|undersokelse|undersokning
        esitiedot|kysymyksenasettelu|tekniikka|suositus|javaslat|klinikai adatok|kerdes|technika
        dane kliniczne|wskazania|technika badania|zalecenia|porownanie|indikace|doporuceni
        technika vysetreni
        klinik bilgi|klinik bilgiler|endikasyon|teknik|oneri|oneriler|karsilastirma|inceleme
        рекомендации|анамнез|показания|методика|техника|жалобы|клинические данные|цель исследования
        область исследования|рекомендації|ενδειξη|τεχνικη|συστασεις|ιστορικο
        检查方法|检查技术|临床病史|临床资料|病史|检查部位|检查项目|建议|备注|檢查方法|臨床資料|病史摘要|建議|備註|申请科室
        検査目的|検査方法|撮像方法|臨床情報|推奨|コメント|備考|検査日|依頼科|検査部位|現病歴
        검사 방법|임상 정보|임상정보|권고|추천|검사명|병력|비교|비고
    """,
    Kind.ADDENDUM: """
        addendum|addenda|addendum report|supplement|supplementary report|late entry|corrected report
        report correction|correction|amended report|nachtrag|erganzung|zusatzbefund|berichtigung
        addenda au compte rendu
        additif|complement|adenda|ampliacion del informe|addendum al referto|integrazione|aditamento
        aanvulling|tillagg|tillaeg|tillegg|uzupelnienie|dodatek|doplneni|ek rapor|дополнение
        补充报告|补充|補充報告|追記|補足|追加 판독|추가판독|추가 판독
    """,
    Kind.ORIGINAL: """
        original report|original report follows|original report below|original|initial report
        original text
        ursprunglicher befund|originalbefund|rapport initial|informe original|referto originale
    """,
    Kind.END: """
        signed|signed by|signature|electronically signed|electronically signed by
        digitally signed by
        electronic signature|e-signed by|signed electronically by|final report signed by|dictated
        dictated by|dictated on|transcribed|transcribed by|transcribed on|transcriptionist|typed by
        reported by|report by|read by|interpreted by|approved by|verified by|authenticated by
        finalized by
        finalised by|reviewed by|attending|attending physician|attending radiologist|resident|fellow
        radiologist|reading physician|reporting physician|reporting radiologist|attestation
        teaching physician|teaching attestation|i have personally|i personally|i, the|i attest
        i certify
        i have reviewed|i was present|i concur|i supervised|i agree with|preliminary report by
        final report by
        this report was|this report has been|this document has been|report verified
        report approved|report electronically|workstation name|end of report|end of document
        end report|end of addendum|cc|copy to|copies to|thank you|sincerely|yours sincerely
        kind regards
        best regards|with kind regards|job id|report id
        mit freundlichen|mit freundlichem|mit kollegialen|mit besten|elektronisch signiert|signiert
        elektronisch freigegeben|elektronisch unterschrieben|elektronisch|freigegeben|unterschrift
        unterzeichnet|gez|validiert|vidiert|befundet von|befundet durch|befunder|oberarzt|oberarztin
        assistenzarzt|chefarzt|facharzt
        valide par|valide le|signe par|signe|signe electroniquement|compte rendu valide|dicte par
        redige par|medecin|bien confraternellement|confraternellement|cordialement|le radiologue
        firmado|firmado por|firma|firmado electronicamente|validado por|informado por|medico
        medico radiologo|medico informante|medico responsable|fdo|atentamente|dictado por
        il medico|il medico radiologo|il radiologo|firmato|firmato da|medico refertante|refertato da
        referto firmato|cordiali saluti|distinti saluti
        assinado|assinado por|assinado eletronicamente|medico responsavel|laudado por|crm
        atenciosamente
        met vriendelijke|met collegiale|geautoriseerd|geautoriseerd door|getekend|radioloog
        hoogachtend
        signerat|signerat av|signerad av|signert|signert av|signeret|signeret af|vidimerad
        vidimerat av
        med vanlig|med vennlig|med venlig|mvh|lakari|allekirjoittanut|allekirjoitettu|leletezo
        leletezo orvos|orvos|lekarz|lekarz opisujacy|podpis|opisal|opisala|z powazaniem|lekar|popsal
        vysetril|podepsal|imza|raporlayan|raporlayan hekim|uzman dr|uzm dr|saygilarimla|doktor
        radyolog
        врач|врач-рентгенолог|врач рентгенолог|подпись|лікар|ο ιατρος|ιατρος|με εκτιμηση
        报告医师|报告医生|审核医师|审核医生|诊断医师|诊断医生|签名|报告者|审核者|报告日期|报告时间|医师签名
        報告醫師|審核醫師|簽名|放射科醫師|読影医|読影者|診断医|報告医|報告者|署名|担当医|記載者
        판독의|판독의사|판독 의사|서명|판독일|전문의
    """,
}
# Between two headings in one, as in "Impression and recommendations".
AND = re.compile(r"\s*[/&+,]\s*|\s+(?:and|und|et|y|e|en|og|och|ja|oraz|i|ve|и|및)\s+")
# "CARDIAC MRI IMPRESSION", "Final conclusion": words that may stand before a heading's own.
BEFORE = frozenset(
    "final overall cardiac cmr mri mr cardiovascular heart radiological radiologist's the "
    "kardiale kardiologische radiologische abschliessende finale definitive".lower().split()
)


def phrases(kind: Kind) -> list[str]:
    """The folded phrases of a kind, longest first."""
    every = (phrase.strip() for line in WORDS[kind].split("\n") for phrase in line.split("|"))
    return sorted({fold(phrase) for phrase in every if phrase}, key=lambda p: (-len(p), p))


KIND_OF = {phrase: kind for kind in Kind for phrase in phrases(kind)}


def kind_of(heading: str) -> Kind | None:
    """The kind of a folded heading, also of two in one and behind words as `final`; None of others."""
    phrase = " ".join(heading.split())
    while phrase not in KIND_OF:
        pieces = AND.split(phrase)
        kinds = [KIND_OF.get(piece) for piece in pieces]
        if len(pieces) > 1 and None not in kinds:
            return Kind.IMPRESSION if Kind.IMPRESSION in kinds else kinds[0]
        before, _, phrase = phrase.partition(" ")
        if before not in BEFORE:
            return None
    return KIND_OF[phrase]


def pattern(kind: Kind) -> str:
    """A regular expression of the phrases of a kind, longest first, over folded text."""
    return "|".join(map(re.escape, phrases(kind)))
