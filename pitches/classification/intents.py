"""What a person wants, by their own words: the one list of C43.

Whole words only, and the plainest wish first. A word under a negation says nothing: "don't
stop", "not interested", "nobody was interested". "No thanks" takes a person off, for our own
footer promises that it does.
"""

# ruff: noqa: RUF001 (words of many scripts)

from __future__ import annotations

import re
from collections.abc import Iterable

from pitches.models import IncomingMessage

_I = IncomingMessage.Intent
MOST_CHARACTERS = 4_000

_STOP_OBJECT = (
    r"(e-?mail(s|ing)?|writ(e|ing)|contact(ing)?|messag(e|es|ing)|text(s|ing)?|send(ing)?|"
    r"spam(ming)?|"
    r"harass(ing)?|reaching out|bother(ing)?|call(ing)?|following up|these|this|your "
    r"(e-?mails?|messages?))"
)
_WORDS: dict[str, list[str]] = {
    _I.UNSUBSCRIBE: [
        r"unsubscribe",
        r"un-subscribe",
        r"no,? thanks",
        r"no thx",
        r"(please |kindly )?(remove|delete|drop|scrub) (me|us|my (e-?mail|address|name|"
        r"details|data)|"
        r"this (e-?mail|address)|our (address|e-?mail)s?)( .{0,40}(list|database|records|"
        r"mailing))?",
        r"take (me|us|my (e-?mail|name|address)|this address) off",
        rf"(please |kindly )?(stop|cease|quit) {_STOP_OBJECT}",
        r"stop ?all",
        r"leave (me|us) alone",
        r"do(n'?t| not) (ever )?(contact|e-?mail|write( to)?|message|text|spam|call) (me|"
        r"us)( again| any ?more)?",
        r"do(n'?t| not) (contact|e-?mail|write|message|text|send).{0,40}(again|any ?more|"
        r"anything)",
        r"never (contact|e-?mail|write( to)?|message|text) (me|us)( again)?",
        r"opt(ing)?[- ]?(me[- ]?)?out",
        r"no (more|further) (e-?mails?|messages|contact|mails|texts)",
        r"i (do not|don'?t) (want|wish) (to (receive|get|hear)|(any )?(more|further) )",
        r"off (your|the|this) (mailing )?list",
        r"revoke (my )?consent",
        # German, French, Spanish, Italian, Dutch, Portuguese
        r"abmelden|abbestellen|austragen|keine (weiteren? )?(e-?mails?|nachrichten|mails|"
        r"werbung)( mehr)?|"
        r"(bitte )?(nicht mehr|nie wieder) (kontaktieren|anschreiben|schreiben)|"
        r"(schreiben|kontaktieren) sie (mir|mich|uns) (bitte )?(nicht|nie) (mehr|wieder)|"
        r"(streichen|nehmen|löschen) sie (mich|meine|uns)( .{0,40}(liste|verteiler|daten|"
        r"adresse))?|"
        r"aus (dem|ihrem|der|ihrer) (verteiler|liste)|nein,? danke|widerspreche "
        r".{0,60}(werbung|nutzung|verarbeitung)",
        r"désabonn\w*|désinscri\w*|désinscription|ne (plus|pas) (me|nous) (contacter|écrire|"
        r"solliciter)|"
        r"(ne )?(me|nous) (contactez|écrivez|sollicitez) plus|(retirez|supprimez|enlevez)[- "
        r"](moi|nous|mon|mes)|"
        r"arrêtez de (m'|me |nous )|plus recevoir|non,? merci",
        r"darme de baja|d(a|é)me(nos)? de baja|dar(se)? de baja|no (me|nos) (contacten?|"
        r"escriban?|envíen?)( más)?|"
        r"no quiero recibir|dejen? de (escribir|enviar|contactar)(me|nos)?|elimin(e|en|ar) "
        r"(mi|me)|"
        r"qu(í|i)ten?me|no,? gracias",
        r"cancella(temi|rmi|re (il mio|la mia))|disiscri\w*|rimuov(etemi|imi|ere|ete il)|"
        r"disdetta|"
        r"non (mi |ci )?(contatt|scriv|invi)\w+( più)?|non desidero (più )?ricevere|no,? "
        r"grazie",
        r"uitschrijven|afmelden|schrijf (mij|me|ons) uit|meld (mij|me|ons) af|"
        r"(geen|niet) (e-?mails?|berichten|mails?) (meer|sturen)|niet meer (mailen|"
        r"contacteren|benaderen|schrijven)|"
        r"verwijder (mij|me|mijn|ons)|stop met (mailen|schrijven)|nee,? (dank|bedankt)",
        r"descadastr\w*|cancelar (a )?(minha )?(inscrição|subscrição)|remov(a|am|er)(-me| "
        r"meu| o meu)|"
        r"não (quero|desejo) (mais )?receber|parem? de (enviar|escrever)|não,? obrigad[oa]",
        r"wypisz\w*|proszę (o usunięcie|nie pisać|o nieprzesyłanie)|avregistrera|avsluta "
        r"prenumeration|"
        r"afmeld|meld (mig|meg) (fra|av)|odhlás\w*|配信停止|退订|退訂|отпишите|отписаться",
    ],
    _I.WRONG_PERSON: [
        r"wrong (person|address|contact|guy|lady|department|inbox|email|e-mail|man|woman|team)",
        r"(am|'m|is|are|was|were) not the (right|correct|best|appropriate) (person|"
        r"contact|one|address|department|team)",
        r"not the (right|correct|best|appropriate) (person|contact|address|department)",
        r"(no longer|not) (work|working|employed|with|at) (here|there|at|for|with|on|the)\b",
        r"(i|he|she|they|who) (no longer|do(es)?(n't| not)) work",
        r"(has |have |have since |'ve |i )?left (the|this|our) (company|organi[sz]ation|"
        r"team|firm|business|show)",
        r"no longer (works?|with us|handle|responsible|in charge|the (right|host|producer|"
        r"contact))",
        r"(you should|please|best to|better to|try) (contact|reach out to|speak (to|with)|"
        r"ask|write to|e-?mail) "
        r"(my colleague|our|someone|[A-Z]?\w+@)",
        r"(forward(ing|ed)?|pass(ing|ed)?) (this |it |your (e-?mail|message|note) )?(on |"
        r"along )?to",
        r"i am not (in charge|responsible)|i'?m not (in charge|responsible)|(not|"
        r"isn't) my (area|department|job|responsibility)",
        r"falsche[rn]? (ansprechpartner(in)?|adresse|person|kontakt)|nicht (der|die) "
        r"richtige|nicht zuständig|"
        r"nicht mehr (bei|im unternehmen)|mauvais(e)? (personne|interlocuteur|adresse)|pas "
        r"la bonne personne|"
        r"ne travaille plus|persona equivocada|no soy la persona|ya no trabaj\w+|persona "
        r"sbagliata|"
        r"non sono la persona|non lavor\w+ più|verkeerde (persoon|adres)|niet de juiste "
        r"persoon|werkt (hier )?niet meer",
    ],
    _I.NOT_INTERESTED: [
        r"not (really |currently |at all |particularly |very |that )?interested( in| at this "
        r"time| right now)?",
        r"(isn'?t|aren'?t|wasn'?t|am not|n't|never|nobody|no one|none|neither) "
        r"(\w+ ){0,3}(be |is |was )?interested",
        r"uninterested|disinterested",
        r"(no|nope|nah|nein|non|nee|nej|no way|no sorry|not for (us|me))(?=[.,!]|$)",
        r"(this|it|that|he|she)( is|'s)? ?(n't|not)( really| quite)? (a |the )?(\w+ )?(good |"
        r"great |right "
        r"|best )?(fit|match)|(isn't|wasn't|aren't) (really |quite )?(a |the )?(\w+ )?(fit|"
        r"match)",
        r"(all|good) (set|for now)|not (now|today|this (year|season|quarter|time)|at present)",
        r"(don't|do not|aren't|are not|not) (currently |really |usually )?"
        r"(tak(e|ing)|accept(ing)?|hav(e|ing)|book(ing)?|do(ing)?|feature|featuring) "
        r"(\w+ ){0,2}(guests?|pitches|interviews?|interns?|submissions|sponsors?|speakers?|"
        r"vendors?)",
        r"no interest|no longer interested|(lack|lost) (of )?interest",
        r"(we|i)( ?'ll| will| am going to| are going to|'m going to|'d rather|"
        r"'ll have to| have to| must|'re going to)? (respectfully |politely )?(pass|"
        r"decline)",
        r"(have|going|need) to (pass|decline)|hard pass|pass on this|pass for now|pass this "
        r"time",
        r"not (a |the )?(\w+ )?(good |great |right |best )?(fit|match)( for| right)?",
        r"(is|it|this|that)(n't| not|'s not) (for (me|us)|of interest|relevant|"
        r"something (we|i))",
        r"not (right|looking|hiring|taking|accepting|booking|available|the right time|a "
        r"priority|in a position)"
        r"( now| at this time| at the moment| for (new )?guests| on (new )?guests| anyone| "
        r"new)?",
        r"no,? thank you",
        r"(won't|will not|cannot|can't|can ?not) (be able to (help|take|accept)|work "
        r"for us|participate|accept|move forward|take (this|that|on|part))",
        r"(we|i) (are|'re|am|'m) (all set|good( for now)?|fully booked|booked (up|out|"
        r"solid))|thanks,? but no",
        r"don'?t (see|think) (this|it|that|he|she|they|we|there).{0,30}(fit|match|work|"
        r"need|make sense)",
        r"(do not|don'?t) (need|have (a )?(need|budget|capacity|room|space|time))",
        r"kein(e)? (interesse|bedarf)|nicht (interessiert|relevant|passend)|passt (leider "
        r")?nicht|"
        r"(leider )?(absagen|ablehnen)|kommt (für uns )?nicht in frage",
        r"pas (intéressée?s?|d'intérêt|pour (moi|nous))|(cela|ça) ne (nous|"
        r"m')?\s?intéresse (pas|plus)|"
        r"ne (sommes|suis) pas intéressée?s?|sans intérêt|nous ne donnerons pas suite",
        r"no (estoy|estamos|me|nos) interesa\w*|sin interés|no es (para nosotros|lo que "
        r"buscamos)|no nos encaja",
        r"non (sono|siamo|mi|ci) interessa\w*|nessun interesse|non fa per (me|noi)|non è di "
        r"(mio|nostro) interesse",
        r"(geen|niet) (interesse|belangstelling|geïnteresseerd)|niet voor (mij|ons)|past niet",
        r"não (tenho|temos|estou|estamos|há) (interesse|interessad\w+)|sem interesse|nie "
        r"jest(em|eśmy)? zainteresowan\w+|"
        r"brak zainteresowania|inte intresserad\w*|ikke interesseret|ikke interessert|"
        r"nemáme? zájem|興味(は|が)?(ありません|ない)|不感兴趣|没兴趣",
    ],
    _I.MEETING_BOOKED: [
        r"(booked|scheduled|reserved|confirmed|blocked|grabbed) (\w+ ){0,3}(call|"
        r"meeting|slot|time|interview|recording|session|calendar)",
        r"(calendar|meeting|zoom|teams) invit(e|ation)( (is )?(sent|attached|on its way))?",
        r"(see|speak to|talk to|speak with|meet) you (on|at|then|tomorrow|next|this) ?"
        r"(monday|tuesday|wednesday|thursday|friday|saturday|sunday|\d|tomorrow|week|then)?",
        r"(you'?re|you are|we are|we're|he'?s|she'?s) (all )?(booked|confirmed|"
        r"scheduled)|it'?s (a date|in the calendar)",
        r"termin (gebucht|bestätigt|eingetragen|vereinbart)|rendez-vous (est )?(pris|confirmé)|"
        r"(cita|reunión) (confirmada|agendada|reservada)|appuntamento (confermato|fissato)|"
        r"afspraak (bevestigd|ingepland)",
    ],
    _I.MORE_INFO: [
        r"(send|share|tell|give|forward|provide|get) (me|us|over|along|through)?( ?\w+){0,3} ?"
        r"(more|details?|info(rmation)?|their|her|his|media ?kit|one[- ]?sheet|rates?|"
        r"pricing|links?|samples?|cv|resume|résumé|bio|deck|brochure|examples?)",
        r"(some |any )?more (information|info|details?|context|background)|further "
        r"(information|details?|info)|additional (information|details?|info)",
        r"(could|can|would|will) you (please |kindly )?(send|share|tell|explain|clarify|"
        r"provide|elaborate|forward|let (me|us) know)",
        r"(what|how much|how many|how long|how does|which|when|where) (is|are|would|does|do|"
        r"will|was|topics?|kind|sort|dates?|days?|rates?) .{0,120}\?",
        r"how (does|do|would|much|many|long) .{0,120}\?",
        r"(who|what) (is|are) (he|she|they|it|the|this|your).{0,80}\?",
        r"(learn|know|hear|find out|see|read) more",
        r"(mehr|weitere|nähere) (info(s|rmationen)?|details|angaben|unterlagen)|(können|"
        r"könnten) sie (mir |uns )?.{0,40}(schicken|senden|zusenden)|"
        r"plus d'(infos?|informations?|détails)|davantage d'informations|pouvez[- "
        r"]vous (m'|me |nous )?(envoyer|donner|préciser)|"
        r"más (información|detalles|info)|(puede|podría|podrías|puedes) (enviar|mandar|"
        r"decir)\w*|"
        r"(più|maggiori|ulteriori) (informazioni|dettagli|info)|(può|potrebbe|puoi|potresti) "
        r"(inviar|mandar)\w*|"
        r"meer (informatie|info|details)|(kunt|kun|zou) (u|je|jij) .{0,30}(sturen|toesturen|"
        r"vertellen)|"
        r"mais (informações|detalhes)|więcej (informacji|szczegółów)|mer(a)? information|"
        r"flere oplysninger|mer informasjon|více informací",
    ],
    _I.INTERESTED: [
        r"interested|intrigued|keen|tempted",
        r"sounds? (\w+ )?(good|great|interesting|fantastic|amazing|awesome|perfect|fun|"
        r"intriguing|wonderful|lovely|excellent|like (a|an|the|someone))",
        r"yes|yep|yeah|(?<!not )(?<!am )(?<!be )sure|absolutely|definitely|of course|"
        r"certainly|count (me|us) in|"
        r"(i'm|we're|i am|we are) in",
        r"happy to (talk|chat|meet|help|hear|have|host|discuss|connect|take|consider|do|jump|"
        r"speak|look)",
        r"(would|'d) (love|like|be (happy|glad|delighted|keen|open|up for|great|"
        r"interested|good|thrilled))",
        r"let'?s (talk|chat|set|schedule|do|meet|connect|book|find|discuss|get|make|go|"
        r"have|speak|arrange|hop)",
        r"(love|like|glad|keen|eager) to (meet|interview|have|talk|learn|chat|hear|host|"
        r"speak|connect|feature)",
        r"(could|can|shall|should) we (do|talk|speak|meet|say|schedule|set|have|jump|hop|"
        r"connect)",
        r"(what|when) (time|times|days?|works?|is a good time|are you|would (suit|work)|"
        r"suits?).{0,60}",
        r"(book|schedule|set up|arrange|grab|pick) (a|some) (call|time|meeting|chat|slot|"
        r"interview)|here'?s my (calendar|calendly|link|scheduling)|calendly\.com|"
        r"(a )?(great|good|perfect|strong) (fit|match|idea)|count on (me|us)|works for (me|"
        r"us)|(i|we) accept|please (proceed|go ahead)",
        r"interessiert|interesse|klingt (gut|spannend|interessant|toll|super)|gerne?|ja|sehr "
        r"gern|lassen sie uns",
        r"intéressée?s?|avec plaisir|volontiers|oui|ça m'intéresse|cela m'intéresse|"
        r"bonne idée",
        r"interesad[oa]s?|me interesa|nos interesa|sí|con (mucho )?gusto|encantad[oa]s?|"
        r"suena (bien|interesante)|hablemos|me gustaría",
        r"interessat[oaie]|mi interessa|ci interessa|volentieri|con piacere|certo|parliamone",
        r"geïnteresseerd|graag|klinkt (goed|leuk|interessant)|ja",
        r"interessad[oa]s?|tenho interesse|com prazer|sim|zainteresowan\w+|chętnie|tak|"
        r"intresserad\w*|interesseret|interessert|gärna|mám zájem|zájem"
        r"|はい|興味があります|感兴趣",
    ],
}


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w@.-])({'|'.join(phrases)})(?![\w@])", re.IGNORECASE)


_INTENTS = [(intent, _any_of(words)) for intent, words in _WORDS.items()]
# What turns the word behind it around; only where the word itself holds no negation.
_NEGATED = re.compile(
    r"\b(not|\w+n't|never|no need to|without|nobody|no one|cannot|hardly|isn'?t|nicht|"
    r"kein[e]?|jamais|"
    r"nunca|mai|nooit|niet)\s+(\w+\s+){0,2}$",
    re.IGNORECASE,
)
# A text that is nothing but a word that every telephone knows (47 CFR 64.1200(a)(10)).
_ONE_WORD = re.compile(
    r"\W*(please\W+)?(st+o+p+|stop ?all|quit|end|revoke|opt\W?out|cancel|unsubscribe|unsub|"
    r"arret|arrêt|"
    r"arrêtez|remove|stopp(en)?|basta|baja|fuori)(\W+(please|now|it|this|that|all|bitte|"
    r"thanks|thank you))*\W*",
    re.IGNORECASE,
)
# Somebody asks about our footer, or speaks of their own list.
_GO_ON = re.compile(
    r"\b(do not|don't|never|won't|didn't|not) (ever )?(please )?$", re.IGNORECASE
)
_ABOUT_ANOTHER = re.compile(
    r"(our|my|their) (listeners|readers|subscribers|audience|users|customers|members)( "
    r"\w+){0,4} $|"
    r"(your|the) (link|button|footer) (to |that says )?$",
    re.IGNORECASE,
)


def intent_of(text: str) -> str:
    """What the person wants; ``other`` where their words do not say."""
    text = " ".join(text[:MOST_CHARACTERS].replace("’", "'").split())
    if _ONE_WORD.fullmatch(text[:100]) or _ONE_WORD.fullmatch(_first_line(text)):
        return _I.UNSUBSCRIBE
    said = [intent for intent, words in _INTENTS if _says(intent, words, text)]
    if said[:1] == [_I.MORE_INFO] and _I.INTERESTED in said and _EAGER.search(text):
        return _I.INTERESTED  # "I'd love to. When is she free?"
    return said[0] if said else _I.OTHER


_EAGER = re.compile(
    r"\b(yes|(would|'d) love|very interested|count (me|us) in|let's (talk|chat|do|set|"
    r"schedule|book))\b",
    re.IGNORECASE,
)


_CANNOT_WAIT = re.compile(r"\b(can't|cannot|can not) wait to $", re.IGNORECASE)


def _first_line(text: str) -> str:
    return re.split(r"(?<=[.!])\s", text, maxsplit=1)[0][:60]


def _says(intent: str, words: re.Pattern[str], text: str) -> bool:
    for found in words.finditer(text):
        before = text[max(0, found.start() - 50) : found.start()]
        if _CANNOT_WAIT.search(before):
            return True
        if intent == _I.UNSUBSCRIBE:
            if _GO_ON.search(before):
                continue
            if _ABOUT_ANOTHER.search(before):
                continue
        elif _NEGATED.search(before):
            continue
        return True
    return False
