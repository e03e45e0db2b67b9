"""Mail as clients and servers write it, of invented people, built from small tables."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

WRITTEN = date(2026, 3, 2)  # a Monday
OWN = "nina@desk.example.com"
ID = "17.3f2a@desk.example.com"
FOOTER = "If you do not want further messages from us, reply no thanks. Unsubscribe: https://x.example.com"


def mail(body: str, *headers: str, sender: str = "Ada Moss <ada@show.example.com>") -> bytes:
    """A plain mail of that day."""
    head = [
        f"From: {sender}",
        f"To: Nina <{OWN}>",
        "Date: Mon, 02 Mar 2026 09:00:00 +0000",
        "Message-ID: <a1@show.example.com>",
        "MIME-Version: 1.0",
        *headers,
    ]
    if not any(line.lower().startswith("content-type") for line in headers):
        head.append("Content-Type: text/plain; charset=utf-8")
    return ("\r\n".join([*head, "", body.replace("\n", "\r\n")])).encode()


# -- people ------------------------------------------------------------------------------------

ANSWERS = [
    "Sounds great, when could she come on?",
    "Thanks for this. Could you send me her media kit?",
    "We are not interested, sorry.",
    "Klingt spannend, schicken Sie mir gerne mehr.",
    "Merci, cela m'intéresse beaucoup.",
    "Me interesa, hablemos la semana que viene.",
    "I am away until Friday, but yes, let's talk then.",
    "Your email was delivered to the wrong person, sorry.",
    "My mailbox is full of pitches like this, but I like him. Yes!",
    "No vacation for me this year: any day works.",
]
QUOTES = [
    "On Mon, Mar 2, 2026 at 8:00 AM Nina <{own}> wrote:\n\n> Dear Ada\n> {footer}\n",
    "\nAm 02.03.2026 um 08:00 schrieb Nina <{own}>:\n> Dear Ada\n> {footer}\n",
    "\nLe lun. 2 mars 2026 à 08:00, Nina <{own}> a écrit :\n> Dear Ada\n> {footer}\n",
    "\n________________________________\nFrom: Nina <{own}>\nSent: Monday, 2 March 2026 08:00\n"
    "To: Ada\nSubject: A guest\n\nDear Ada\n{footer}\n",
    "\nSent from my iPhone\n\n> On 2 Mar 2026, at 08:00, Nina <{own}> wrote:\n> \n> {footer}\n",
    "\n-- \nAda Moss\nThe Show\n\nEl lun, 2 mar 2026 a las 8:00, Nina (<{own}>) escribió:\n> "
    "{footer}\n",
]
HUMAN = [
    mail(
        f"{answer}\n\n{quote.format(own=OWN, footer=FOOTER)}",
        "Subject: Re: A guest for your show",
        f"In-Reply-To: <{ID}>",
        "X-Auto-Response-Suppress: All" if number % 3 == 0 else "X-Mailer: A client 1.0",
    )
    for number, (answer, quote) in enumerate(product(ANSWERS, QUOTES))
]
OWN_MAIL = [
    mail(
        f"{answer}\n\n{quote.format(own=OWN, footer=FOOTER)}",
        *headers,
        sender=f"{name} <{OWN.upper()}>",
    )
    for name, headers, (answer, quote) in zip(
        ["Nina", '"Nina, of the desk"', "=?utf-8?q?N=C3=ADna?="] * 20,
        [
            ("Subject: Re: A guest",),
            ("Subject: Undeliverable: A guest",),
            ("Subject: Out of office",),
        ]
        * 20,
        product(ANSWERS, QUOTES),
        strict=True,
    )
]

# -- programs ----------------------------------------------------------------------------------

_MARKS = [
    ("Auto-Submitted: auto-generated",),
    ("Auto-Submitted: auto-replied", "Precedence: bulk"),
    ("Precedence: junk",),
    ("List-Id: <news.example.com>", "List-Unsubscribe: <mailto:off@example.com>"),
    ("X-Autoreply: yes",),
    ("Return-Path: <>",),
]
_TOLD = [
    (
        "Your ticket 4711 was created",
        "We received your request and will answer within two days.",
    ),
    ("News of March", "Read what is new. Unsubscribe below."),
    ("Please confirm that you are a person", "Click to have your mail delivered to Ada."),
    ("Ihre Anfrage ist eingegangen", "Vielen Dank, wir melden uns."),
    ("Confirmation de votre message", "Nous avons bien reçu votre message."),
    ("Gracias por su mensaje", "Le responderemos pronto."),
    ("Weekly digest", "Three episodes are out."),
    ("Re: A guest for your show", "Thank you for your submission to the show."),
    ("Your submission", "We listen to everything and answer only if it fits."),
    ("Invoice 12", "Please find our invoice enclosed."),
]
AUTOMATIC = [
    mail(text, f"Subject: {subject}", *marks)
    for marks, (subject, text) in product(_MARKS, _TOLD)
]

# -- absences: language, how the day is written, phrases with {day}, and the day they mean -----

_M = {
    "en": "January February March April May June July August September October November "
    "December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre "
    "décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
    "novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november "
    "december",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października "
    "listopada grudnia",
    "sv": "januari februari mars april maj juni juli augusti september oktober november "
    "december",
    "cs": "ledna února března dubna května června července srpna září října listopadu prosince",
}
_SAYS = {
    "en": (
        "{d} {m} {y}",
        "Automatic reply: A guest",
        [
            "I am out of the office and will be back on {day}.",
            "Thank you for your message. I am on annual leave, returning {day}. For urgent "
            "matters call Bob.",
        ],
    ),
    "de": (
        "{d}. {m} {y}",
        "Automatische Antwort: Ein Gast",
        [
            "Ich bin derzeit nicht im Büro und ab dem {day} wieder erreichbar.",
            "Vielen Dank für Ihre Nachricht. Am {day} bin ich wieder für Sie da. Ihre E-Mail "
            "wird nicht weitergeleitet.",
        ],
    ),
    "fr": (
        "{d} {m} {y}",
        "Réponse automatique : Un invité",
        [
            "Je suis absente du bureau et serai de retour le {day}.",
            "Actuellement en congés, je répondrai à votre message à mon retour le {day}.",
        ],
    ),
    "es": (
        "{d} de {m} de {y}",
        "Respuesta automática: Un invitado",
        [
            "Estoy fuera de la oficina y vuelvo el {day}.",
            "Estaré de vacaciones. Regreso el {day} y leeré su mensaje entonces.",
        ],
    ),
    "it": (
        "{d} {m} {y}",
        "Risposta automatica: Un ospite",
        [
            "Sono fuori ufficio e rientrerò il {day}.",
            "Sono in ferie, sarò di ritorno il {day}. Per urgenze scrivete al mio collega.",
        ],
    ),
    "nl": (
        "{d} {m} {y}",
        "Automatisch antwoord: Een gast",
        [
            "Ik ben niet op kantoor en ben op {day} weer bereikbaar.",
            "Ik ben met vakantie. Vanaf {day} ben ik terug en lees ik uw bericht.",
        ],
    ),
    "pt": (
        "{d} de {m} de {y}",
        "Resposta automática: Um convidado",
        [
            "Estou fora do escritório e volto em {day}.",
            "Estou de férias. Estarei de volta no dia {day} e responderei à sua mensagem.",
        ],
    ),
    "pl": (
        "{d} {m} {y}",
        "Odpowiedź automatyczna: Gość",
        [
            "Jestem poza biurem, wracam {day}.",
            "Przebywam na urlopie. Będę ponownie dostępna od {day}.",
        ],
    ),
    "sv": (
        "{d} {m} {y}",
        "Autosvar: En gäst",
        [
            "Jag är inte på kontoret men är tillbaka den {day}.",
            "Jag har semester och är åter på plats den {day}. Ditt mejl läses då.",
        ],
    ),
    "cs": (
        "{d}. {m} {y}",
        "Automatická odpověď: Host",
        [
            "Jsem mimo kancelář, zpět budu {day}.",
            "Jsem na dovolené, vrátím se {day}. V naléhavých případech volejte kolegyni.",
        ],
    ),
}


def _absences() -> list[tuple[str, bytes, date]]:
    found = []
    for number, (language, (form, subject, phrases)) in enumerate(_SAYS.items()):
        months = _M[language].split()
        for of, phrase in enumerate(phrases):
            for ahead in (4, 15, 100):
                day = WRITTEN + timedelta(days=ahead + number)
                year = "" if ahead == 15 else str(day.year)
                form_ = form if year else form.partition(" {y}")[0].partition(" de {y}")[0]
                said = form_.format(d=day.day, m=months[day.month - 1], y=year).strip()
                marks = [
                    ("Auto-Submitted: auto-replied", f"Subject: {subject}"),
                    ("X-Autoreply: yes", "Subject: Re: A guest"),
                    (f"Subject: {subject}", "X-Auto-Response-Suppress: All"),
                ][(of + number + ahead) % 3]
                raw = mail(f"{phrase.format(day=said)}\n\nAda Moss\n+1 202 555 0100", *marks)
                found.append((f"{language}-{of}-{ahead}", raw, day))
    return found


ABSENCES = _absences()

# -- reports of servers: 20 of them, each hard and soft (LAW-20) -------------------------------

_SERVERS = [
    (
        "Postfix",
        "Mail Delivery System <MAILER-DAEMON@mx.example.com>",
        "Undelivered Mail Returned to Sender",
    ),
    (
        "Exim",
        "Mail Delivery System <Mailer-Daemon@mx.example.com>",
        "Mail delivery failed: returning message to sender",
    ),
    (
        "sendmail",
        "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.com>",
        "Returned mail: see transcript for details",
    ),
    (
        "Gmail",
        "Mail Delivery Subsystem <mailer-daemon@googlemail.example.com>",
        "Delivery Status Notification (Failure)",
    ),
    (
        "Exchange Online",
        "Microsoft Outlook <postmaster@outlook.example.com>",
        "Undeliverable: A guest",
    ),
    ("Exchange 2010, German", "<postmaster@firma.example.com>", "Unzustellbar: Ein Gast"),
    ("Exchange, French", "<postmaster@societe.example.com>", "Non remis : Un invité"),
    (
        "Exchange, Spanish",
        "<postmaster@empresa.example.com>",
        "No se puede entregar: Un invitado",
    ),
    (
        "Courier",
        '"Courier mail server" <postmaster@mx.example.com>',
        "NOTICE: mail delivery status.",
    ),
    (
        "OpenSMTPD",
        "Mailer Daemon <MAILER-DAEMON@mx.example.com>",
        "Delivery status notification: error",
    ),
    ("PowerMTA", "<mailer-daemon@mx.example.com>", "Delivery report"),
    (
        "Amazon SES",
        "MAILER-DAEMON@amazonses.example.com",
        "Delivery Status Notification (Failure)",
    ),
    (
        "Zimbra",
        "MAILER-DAEMON@zimbra.example.com (Mail Delivery System)",
        "Undelivered Mail Returned to Sender",
    ),
    ("Domino", "<mailer-daemon@notes.example.com>", "DELIVERY FAILURE: User not listed"),
    ("GroupWise", "<Postmaster@gw.example.com>", "Mail delivery problem"),
    ("Yahoo", "MAILER-DAEMON@yahoo.example.com", "Failure Notice"),
    ("Haraka", "MAILER-DAEMON <MAILER-DAEMON@mx.example.com>", "failure notice"),
    ("James", "postmaster@james.example.com", "Delivery Status Notification"),
    ("MDaemon", "MDaemon at mx.example.com <MDaemon@mx.example.com>", "Message not delivered"),
    ("hMailServer", "mailer-daemon@hmail.example.com", "Message undeliverable: A guest"),
]
_DEAD = [
    ("5.1.1", "550 5.1.1 user unknown"),
    ("5.1.10", "550 5.1.10 RecipientNotFound"),
    ("5.2.1", "550 5.2.1 mailbox disabled"),
    ("5.0.0", "550 No such user here"),
]
_WAIT = [
    ("4.2.2", "452 4.2.2 mailbox full"),
    ("4.4.1", "connection timed out"),
    ("4.7.1", "451 4.7.1 greylisted, try later"),
    ("4.0.0", "421 too busy"),
]


def report(
    status: str,
    words: str,
    *,
    action: str = "failed",
    sender: str,
    subject: str,
    to: str = "Bob@gone.example.com",
    original_id: str = ID,
) -> bytes:
    """An RFC 3464 report that holds the headers of what it is about."""
    body = (
        f"--r\nContent-Type: text/plain\n\nYour message could not be delivered.\n\n<{to}>: "
        f"{words}\n"
        "--r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n"
        f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; {words}\n\n"
        f"--r\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{original_id}>\n"
        f"X-Overture-Id: {original_id}\nTo: {to}\n\n--r--\n"
    )
    kind = "Content-Type: multipart/report; report-type=delivery-status; boundary=r"
    return mail(body, f"Subject: {subject}", kind, "Return-Path: <>", sender=sender)


REPORTS = [
    (f"{name}, {wanted}", report(*pick[number % 4], sender=sender, subject=subject), wanted)
    for number, (name, sender, subject) in enumerate(_SERVERS)
    for wanted, pick in (("hard", _DEAD), ("soft", _WAIT))
]


def complaint(*, recipient: str, feedback: str = "abuse", has_id: bool = True) -> bytes:
    """An RFC 5965 report; without ``recipient`` it is redacted."""
    rcpt = f"Original-Rcpt-To: {recipient}\n" if recipient else "Original-Rcpt-To: redacted\n"
    returned = f"Message-ID: <{ID}>\nX-Overture-Id: {ID}\n" if has_id else ""
    body = (
        "--r\nContent-Type: text/plain\n\nThis is an abuse report.\n"
        f"--r\nContent-Type: message/feedback-report\n\nFeedback-Type: {feedback}\n"
        f"User-Agent: Loop/1\nVersion: 1\n{rcpt}\n"
        f"--r\nContent-Type: message/rfc822\n\n{returned}Subject: A guest\n\nDear Ada\n--r--\n"
    )
    kind = "Content-Type: multipart/report; report-type=feedback-report; boundary=r"
    return mail(body, "Subject: abuse report", kind, sender="loop@provider.example.com")
