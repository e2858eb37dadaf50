"""What a report says, in five languages: one sentence or two for each thing that can be true.

Fields in braces are filled with numbers and with the words of WORDS in the same language.
"""

WORDS = {
    "en": {
        "mild": "mildly",
        "moderate": "moderately",
        "severe": "severely",
        "subendocardial": "Subendocardial",
        "transmural": "Transmural",
        "LAD": "anterior wall and apex",
        "RCA": "inferior wall",
        "LCx": "lateral wall",
    },
    "de": {
        "mild": "leicht",
        "moderate": "mittelgradig",
        "severe": "hochgradig",
        "subendocardial": "Subendokardiales",
        "transmural": "Transmurales",
        "LAD": "der Vorderwand und des Apex",
        "RCA": "der Hinterwand",
        "LCx": "der Seitenwand",
    },
    "fr": {
        "mild": "légèrement",
        "moderate": "modérément",
        "severe": "sévèrement",
        "subendocardial": "sous-endocardique",
        "transmural": "transmural",
        "LAD": "de la paroi antérieure et de l'apex",
        "RCA": "de la paroi inférieure",
        "LCx": "de la paroi latérale",
    },
    "es": {
        "mild": "levemente",
        "moderate": "moderadamente",
        "severe": "gravemente",
        "subendocardial": "subendocárdico",
        "transmural": "transmural",
        "LAD": "de la pared anterior y del ápex",
        "RCA": "de la pared inferior",
        "LCx": "de la pared lateral",
    },
    "it": {
        "mild": "lievemente",
        "moderate": "moderatamente",
        "severe": "gravemente",
        "subendocardial": "subendocardico",
        "transmural": "transmurale",
        "LAD": "della parete anteriore e dell'apice",
        "RCA": "della parete inferiore",
        "LCx": "della parete laterale",
    },
}
SENTENCES = {
    "en": {
        "lv_ok": ("Normal left ventricular systolic function (LVEF {ef}%).", "Preserved LVEF."),
        "lv_weak": ("Left ventricular systolic function {grade} reduced, LVEF {ef}%.",),
        "lv_wide": ("Dilated left ventricle (LVEDV {edv} mL).",),
        "lv_size_ok": ("Left ventricle not dilated.",),
        "hcm": ("Asymmetric septal hypertrophy up to {wall} mm, in keeping with HCM.",),
        "lvh": ("Left ventricular hypertrophy ({wall} mm).",),
        "rv_ok": ("Right ventricle normal in size and function.",),
        "rv_wide": ("Dilated right ventricle (RVEDV {rvedv} mL).",),
        "rv_weak": ("Reduced right ventricular function (RVEF {rvef}%).",),
        "lge_none": ("No late gadolinium enhancement.",),
        "old": ("{depth} LGE of the {area} ({territory}), consistent with prior infarction.",),
        "acute": ("{depth} LGE of the {area} ({territory}), consistent with acute infarction.",),
        "midwall": ("Septal mid-wall LGE, nonischemic pattern.",),
        "patchy": ("Patchy LGE at the RV insertion points, nonischemic pattern.",),
        "diffuse": ("Diffuse LGE, highly suggestive of cardiac amyloidosis.",),
        "oedema": ("Myocardial oedema of the {area} on T2-weighted images.",),
        "dry": ("No myocardial oedema.",),
        "defect": ("Perfusion defect of the {area}.",),
        "effusion": ("Pericardial effusion of {effusion} mm.",),
        "no_effusion": ("No pericardial effusion.",),
        "aorta": ("Dilated aortic root ({aorta} mm).",),
    },
    "de": {
        "lv_ok": (
            # codespell:ignore-next-line
            "Normale linksventrikuläre Pumpfunktion (LVEF {ef} %).",
            "Erhaltene systolische LV-Funktion.",
        ),
        "lv_weak": ("Linksventrikuläre Pumpfunktion {grade} eingeschränkt, LVEF {ef} %.",),
        "lv_wide": ("Dilatierter linker Ventrikel (LVEDV {edv} ml).",),
        "lv_size_ok": ("Linker Ventrikel nicht dilatiert.",),
        "hcm": ("Asymmetrische Septumhypertrophie bis {wall} mm, vereinbar mit einer HCM.",),
        "lvh": ("Linksventrikuläre Hypertrophie ({wall} mm).",),
        # codespell:ignore-next-line
        "rv_ok": ("Rechter Ventrikel normal groß mit normaler Funktion.",),
        "rv_wide": ("Dilatierter rechter Ventrikel (RVEDV {rvedv} ml).",),
        # codespell:ignore-next-line
        "rv_weak": ("Eingeschränkte rechtsventrikuläre Funktion (RVEF {rvef} %).",),
        "lge_none": ("Kein Late Enhancement.", "Kein Nachweis von Late Gadolinium Enhancement."),
        "old": ("{depth} Late Enhancement {area} ({territory}), vereinbar mit altem Infarkt.",),
        "acute": ("{depth} Late Enhancement {area} ({territory}), vereinbar mit akutem Infarkt.",),
        "midwall": ("Septales intramurales Late Enhancement, nicht ischämisches Muster.",),
        "patchy": ("Fleckiges Late Enhancement an den RV-Insertionen, nicht ischämisch.",),
        "diffuse": ("Diffuses Late Enhancement, hochverdächtig auf kardiale Amyloidose.",),
        "oedema": ("Myokardödem {area} in T2-Wichtung.",),
        "dry": ("Kein Myokardödem.",),
        "defect": ("Perfusionsdefekt {area}.",),
        "effusion": ("Perikarderguss von {effusion} mm.",),
        "no_effusion": ("Kein Perikarderguss.",),
        "aorta": ("Dilatierte Aortenwurzel ({aorta} mm).",),
    },
    "fr": {
        "lv_ok": (
            # codespell:ignore-next-line
            "Fonction systolique du ventricule gauche normale (FEVG {ef} %).",
            "FEVG conservée.",
        ),
        # codespell:ignore-next-line
        "lv_weak": ("Fonction systolique du VG {grade} altérée, FEVG {ef} %.",),
        "lv_wide": ("Ventricule gauche dilaté (VTDVG {edv} ml).",),
        "lv_size_ok": ("Ventricule gauche non dilaté.",),
        "hcm": ("Hypertrophie septale asymétrique jusqu'à {wall} mm, compatible avec une CMH.",),
        "lvh": ("Hypertrophie ventriculaire gauche ({wall} mm).",),
        # codespell:ignore-next-line
        "rv_ok": ("Ventricule droit de taille et de fonction normales.",),
        "rv_wide": ("Ventricule droit dilaté (VTDVD {rvedv} ml).",),
        # codespell:ignore-next-line
        "rv_weak": ("Fonction ventriculaire droite altérée (FEVD {rvef} %).",),
        "lge_none": ("Absence de rehaussement tardif.", "Pas de rehaussement tardif."),
        "old": (
            "Rehaussement tardif {depth} {area} ({territory}), compatible avec un infarctus ancien.",
        ),
        "acute": (
            "Rehaussement tardif {depth} {area} ({territory}), compatible avec un infarctus aigu.",
        ),
        "midwall": ("Rehaussement tardif intramural septal, non ischémique.",),
        "patchy": ("Rehaussement tardif focal aux insertions du VD, non ischémique.",),
        "diffuse": ("Rehaussement tardif diffus, très évocateur d'une amylose cardiaque.",),
        "oedema": ("Œdème myocardique {area} en pondération T2.",),
        "dry": ("Pas d'œdème myocardique.",),
        "defect": ("Défaut de perfusion {area}.",),
        "effusion": ("Épanchement péricardique de {effusion} mm.",),
        "no_effusion": ("Pas d'épanchement péricardique.",),
        "aorta": ("Racine aortique dilatée ({aorta} mm).",),
    },
    "es": {
        "lv_ok": (
            "Función sistólica del ventrículo izquierdo normal (FEVI {ef} %).",
            "FEVI conservada.",
        ),
        "lv_weak": ("Función sistólica del VI {grade} reducida, FEVI {ef} %.",),
        "lv_wide": ("Ventrículo izquierdo dilatado (VTDVI {edv} ml).",),
        "lv_size_ok": ("Ventrículo izquierdo no dilatado.",),
        "hcm": ("Hipertrofia septal asimétrica de hasta {wall} mm, compatible con MCH.",),
        "lvh": ("Hipertrofia ventricular izquierda ({wall} mm).",),
        # codespell:ignore-next-line
        "rv_ok": ("Ventrículo derecho de tamaño y función normales.",),
        "rv_wide": ("Ventrículo derecho dilatado (VTDVD {rvedv} ml).",),
        "rv_weak": ("Función ventricular derecha reducida (FEVD {rvef} %).",),
        "lge_none": ("Sin realce tardío de gadolinio.", "No se observa realce tardío."),
        "old": ("Realce tardío {depth} {area} ({territory}), compatible con infarto antiguo.",),
        "acute": ("Realce tardío {depth} {area} ({territory}), compatible con infarto agudo.",),
        "midwall": ("Realce tardío septal intramiocárdico, patrón no isquémico.",),
        "patchy": ("Realce tardío parcheado en las inserciones del VD, no isquémico.",),
        "diffuse": ("Realce tardío difuso, muy sugestivo de amiloidosis cardiaca.",),
        "oedema": ("Edema miocárdico {area} en secuencias T2.",),
        "dry": ("Sin edema miocárdico.",),
        "defect": ("Defecto de perfusión {area}.",),
        "effusion": ("Derrame pericárdico de {effusion} mm.",),
        "no_effusion": ("Sin derrame pericárdico.",),
        "aorta": ("Raíz aórtica dilatada ({aorta} mm).",),
    },
    "it": {
        "lv_ok": (
            # codespell:ignore-next-line
            "Normale funzione sistolica del ventricolo sinistro (FEVS {ef} %).",
            "FEVS conservata.",
        ),
        "lv_weak": ("Funzione sistolica del VS {grade} ridotta, FEVS {ef} %.",),
        "lv_wide": ("Ventricolo sinistro dilatato (VTDVS {edv} ml).",),
        "lv_size_ok": ("Ventricolo sinistro non dilatato.",),
        # codespell:ignore-next-line
        "hcm": ("Ipertrofia settale asimmetrica fino a {wall} mm, compatibile con HCM.",),
        "lvh": ("Ipertrofia ventricolare sinistra ({wall} mm).",),
        # codespell:ignore-next-line
        "rv_ok": ("Ventricolo destro normale per dimensioni e funzione.",),
        "rv_wide": ("Ventricolo destro dilatato (VTDVD {rvedv} ml).",),
        "rv_weak": ("Funzione ventricolare destra ridotta (FEVD {rvef} %).",),
        "lge_none": ("Assenza di enhancement tardivo.", "Non si osserva enhancement tardivo."),
        "old": (
            # codespell:ignore-next-line
            "Enhancement tardivo {depth} {area} ({territory}), compatibile con pregresso infarto.",
        ),
        "acute": (
            # codespell:ignore-next-line
            "Enhancement tardivo {depth} {area} ({territory}), compatibile con infarto acuto.",
        ),
        "midwall": ("Enhancement tardivo settale intramurale, pattern non ischemico.",),
        # codespell:ignore-next-line
        "patchy": ("Enhancement tardivo focale alle inserzioni del VD, non ischemico.",),
        "diffuse": ("Enhancement tardivo diffuso, fortemente suggestivo di amiloidosi cardiaca.",),
        # codespell:ignore-next-line
        "oedema": ("Edema miocardico {area} nelle sequenze T2.",),
        "dry": ("Assenza di edema miocardico.",),
        "defect": ("Difetto di perfusione {area}.",),
        "effusion": ("Versamento pericardico di {effusion} mm.",),
        "no_effusion": ("Assenza di versamento pericardico.",),
        "aorta": ("Radice aortica dilatata ({aorta} mm).",),
    },
}
