"""What notices say, in English and French. No health data: names, times and amounts only. Pure.

Titles become subjects of emails, which others may see, so they hold no names either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

LANGUAGES = ("en", "fr")

# Currencies without a minor unit (ISO 4217) among those we meet.
_NO_MINOR_UNIT = frozenset({"XOF", "XAF", "GNF", "JPY", "RWF", "UGX"})

_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
}
_MONTHS = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}

# kind → language → (title, body)
_TEXTS: dict[str, dict[str, tuple[str, str]]] = {
    "appointment.booked": {
        "en": ("Your appointment is confirmed", "You meet {other} by video on {when}."),
        "fr": ("Votre rendez-vous est confirmé", "Vous rencontrez {other} en vidéo le {when}."),
    },
    "appointment.booked.practitioner": {
        "en": ("New appointment", "{other} booked a video visit on {when}."),
        "fr": ("Nouveau rendez-vous", "{other} a réservé une visite vidéo le {when}."),
    },
    "appointment.rescheduled": {
        "en": ("Your appointment has moved", "The visit with {other} is now on {when}."),
        "fr": ("Votre rendez-vous est déplacé", "La visite avec {other} a maintenant lieu le {when}."),
    },
    "appointment.cancelled": {
        "en": ("Your appointment is cancelled", "The visit with {other} on {when} will not take place."),
        "fr": ("Votre rendez-vous est annulé", "La visite avec {other} du {when} n'aura pas lieu."),
    },
    "appointment.completed": {
        "en": ("Your visit is complete", "The summary of your visit with {other} is ready to read."),
        "fr": ("Votre visite est terminée", "Le compte rendu de votre visite avec {other} est disponible."),
    },
    "appointment.no_show": {
        "en": ("We missed you", "Your visit with {other} on {when} did not take place. You can book another time."),
        "fr": (
            "Vous nous avez manqué",
            "La visite avec {other} du {when} n'a pas eu lieu. Réservez un autre moment.",
        ),
    },
    "consultation.patient_waiting": {
        "en": ("A patient is waiting", "{other} is in your waiting room."),
        "fr": ("Un patient attend", "{other} est dans votre salle d'attente."),
    },
    "consultation.recalled": {
        "en": ("It is nearly your turn", "{other} can see you now or soon. Please come back to the waiting room."),
        "fr": ("C'est bientôt à vous", "{other} peut vous recevoir. Merci de revenir dans la salle d'attente."),
    },
    "appointment.transferred": {
        "en": ("A colleague takes over your visit", "{other} will see you in place of your practitioner."),
        "fr": ("Un autre soignant vous reçoit", "{other} vous recevra à la place de votre soignant."),
    },
    "appointment.transferred.practitioner": {
        "en": ("A visit was handed to you", "{other} is yours to see now."),
        "fr": ("Une visite vous est confiée", "{other} est désormais à recevoir par vous."),
    },
    "interpreter.requested": {
        "en": ("Can you interpret now?", "An interpreter is needed in a visit. Answer within a minute."),
        "fr": ("Pouvez-vous interpréter ?", "Une visite demande un interprète. Répondez dans la minute."),
    },
    "consultation.started": {
        "en": ("Your visit has begun", "{other} is with you now."),
        "fr": ("Votre visite a commencé", "{other} est avec vous."),
    },
    "prescription.issued": {
        "en": ("There is news from your visit", "{other} has issued a document for you. Sign in to read it."),
        "fr": ("Du nouveau après votre visite", "{other} vous a remis un document. Connectez-vous pour le lire."),
    },
    "invoice.due": {
        "en": ("An invoice is due", "The invoice of your visit with {other} can be paid now."),
        "fr": ("Une facture est à régler", "La facture de votre visite avec {other} peut être réglée."),
    },
    "invoice.paid": {
        "en": ("Your invoice is paid", "Thank you. The invoice of your visit with {other} is settled."),
        "fr": ("Votre facture est réglée", "Merci. La facture de votre visite avec {other} est soldée."),
    },
    "payment.succeeded": {
        "en": ("Payment received", "We received your payment of {amount}."),
        "fr": ("Paiement reçu", "Nous avons reçu votre paiement de {amount}."),
    },
    "payment.failed": {
        "en": ("A payment failed", "Your payment did not go through; nothing was taken. You can try again."),
        "fr": ("Un paiement a échoué", "Votre paiement n'a pas abouti ; rien n'a été débité. Vous pouvez réessayer."),
    },
    "payment.refunded": {
        "en": ("Refund on its way", "{amount} is paid back the way it was paid."),
        "fr": ("Remboursement en cours", "{amount} vous est remboursé par le même moyen de paiement."),
    },
    "claim.decided": {
        "en": ("Your insurer has answered", "The decision on your claim is ready to read."),
        "fr": ("Votre assureur a répondu", "La décision sur votre demande est disponible."),
    },
    "account.verification_requested": {
        "en": (
            "Confirm your email address",
            "Please confirm that this address is yours with the link below. It works once, for two days. "
            "If you did not open an account at Bedside, do nothing.",
        ),
        "fr": (
            "Confirmez votre adresse email",
            "Merci de confirmer que cette adresse est la vôtre avec le lien ci-dessous. Il sert une fois, pendant "
            "deux jours. Si vous n'avez pas ouvert de compte chez Bedside, ne faites rien.",
        ),
    },
    "break_glass.opened": {
        "en": (
            "Your record was opened in an emergency",
            "{other} opened your record without having an appointment with you, and wrote down why. "
            "You can read the reason under Privacy.",
        ),
        "fr": (
            "Votre dossier a été ouvert en urgence",
            "{other} a ouvert votre dossier sans rendez-vous avec vous, et a écrit pourquoi. "
            "Vous pouvez lire la raison sous Confidentialité.",
        ),
    },
    "proxy.invited": {
        "en": ("Somebody asks for your help", "You are asked to act for {other}. Answer under Family."),
        "fr": ("On vous demande votre aide", "On vous demande d'agir pour {other}. Répondez sous Famille."),
    },
    "proxy.granted": {
        "en": (
            "Somebody may now act for you",
            "{other} may now act for you. You see what they may do, and can end it at any time, under Family.",
        ),
        "fr": (
            "Quelqu'un peut maintenant agir pour vous",
            "{other} peut maintenant agir pour vous. Vous voyez ce qui est permis, et pouvez y mettre fin à tout "
            "moment, sous Famille.",
        ),
    },
    "proxy.granted.proxy": {
        "en": ("You may now act for somebody", "You may now act for {other}. What you may do stands under Family."),
        "fr": (
            "Vous pouvez maintenant agir pour quelqu'un",
            "Vous pouvez maintenant agir pour {other}. Ce qui est permis se trouve sous Famille.",
        ),
    },
    "proxy.ended": {
        "en": ("Somebody no longer acts for you", "{other} may not act for you any more."),
        "fr": ("Quelqu'un n'agit plus pour vous", "{other} ne peut plus agir pour vous."),
    },
    "proxy.ended.proxy": {
        "en": ("You no longer act for somebody", "You may not act for {other} any more."),
        "fr": ("Vous n'agissez plus pour quelqu'un", "Vous ne pouvez plus agir pour {other}."),
    },
    "account.password_reset_requested": {
        "en": (
            "Set a new password",
            "Somebody, hopefully you, asked for a new password. The link below lets you choose one. It works once, "
            "for 30 minutes. If it was not you, do nothing: your password stays as it is.",
        ),
        "fr": (
            "Choisissez un nouveau mot de passe",
            "Quelqu'un, sans doute vous, a demandé un nouveau mot de passe. Le lien ci-dessous permet d'en choisir un. "
            "Il sert une fois, pendant 30 minutes. Si ce n'était pas vous, ne faites rien : votre mot de passe reste "
            "le même.",
        ),
    },
    "account.registration_repeated": {
        "en": (
            "You already have an account",
            "Somebody, perhaps you, tried to open an account with this address. You have one already: sign in, or "
            "choose a new password on the page below. If it was not you, there is nothing to do.",
        ),
        "fr": (
            "Vous avez déjà un compte",
            "Quelqu'un, peut-être vous, a voulu ouvrir un compte avec cette adresse. Vous en avez déjà un : "
            "connectez-vous, ou choisissez un nouveau mot de passe sur la page ci-dessous. Si ce n'était pas vous, "
            "il n'y a rien à faire.",
        ),
    },
    "account.email_change_requested": {
        "en": (
            "Confirm your new email address",
            "You asked to use this address for your account. Confirm it with the link below. It works once, for a "
            "day. If it was not you, do nothing: nothing changes.",
        ),
        "fr": (
            "Confirmez votre nouvelle adresse email",
            "Vous avez demandé à utiliser cette adresse pour votre compte. Confirmez-la avec le lien ci-dessous. Il "
            "sert une fois, pendant un jour. Si ce n'était pas vous, ne faites rien : rien ne change.",
        ),
    },
    "account.email_changed": {
        "en": (
            "Your email address was changed",
            "Your account now uses another address; letters no longer come here. If it was not you, undo it with the "
            "link below. It works for seven days, signs everybody out, and sends you a letter to choose a new "
            "password.",
        ),
        "fr": (
            "Votre adresse email a été changée",
            "Votre compte utilise maintenant une autre adresse ; plus rien n'arrive ici. Si ce n'était pas vous, "
            "annulez ce changement avec le lien ci-dessous. Il sert pendant sept jours, déconnecte tout le monde et "
            "vous envoie une lettre pour choisir un nouveau mot de passe.",
        ),
    },
    "account.email_changed.notice": {
        "en": (
            "Your email address was changed",
            "Letters go to the new address from now on. The old one was told, and can undo it for seven days.",
        ),
        "fr": (
            "Votre adresse email a été changée",
            "Les lettres vont désormais à la nouvelle adresse. L'ancienne a été prévenue et peut annuler pendant sept "
            "jours.",
        ),
    },
    "staff.invited": {
        "en": (
            "You are invited to work with Bedside",
            "An administrator has invited you. Open the link below to accept. It works once, for seven days. If you "
            "don't expect this, do nothing.",
        ),
        "fr": (
            "Vous êtes invité à travailler avec Bedside",
            "Un administrateur vous a invité. Ouvrez le lien ci-dessous pour accepter. Il sert une fois, pendant sept "
            "jours. Si vous n'attendez rien de tel, ne faites rien.",
        ),
    },
    "account.password": {
        "en": (
            "Your password was changed",
            "The password of your account has just been changed, and other devices were signed out. If it was not "
            "you, choose a new password at once on the page below.",
        ),
        "fr": (
            "Votre mot de passe a été changé",
            "Le mot de passe de votre compte vient d'être changé, et les autres appareils ont été déconnectés. Si ce "
            "n'était pas vous, choisissez tout de suite un nouveau mot de passe sur la page ci-dessous.",
        ),
    },
    "account.factor_added": {
        "en": (
            "A second factor was added",
            "An authenticator or a passkey was added to your account. If it was not you, remove it on the page below "
            "and change your password.",
        ),
        "fr": (
            "Un second facteur a été ajouté",
            "Une application d'authentification ou une clé d'accès a été ajoutée à votre compte. Si ce n'était pas "
            "vous, retirez-la sur la page ci-dessous et changez votre mot de passe.",
        ),
    },
    "account.factor_removed": {
        "en": (
            "A second factor was removed",
            "An authenticator or a passkey was removed from your account. If it was not you, change your password "
            "and look at your devices on the page below.",
        ),
        "fr": (
            "Un second facteur a été retiré",
            "Une application d'authentification ou une clé d'accès a été retirée de votre compte. Si ce n'était pas "
            "vous, changez votre mot de passe et vérifiez vos appareils sur la page ci-dessous.",
        ),
    },
    "account.recovery_code_used": {
        "en": (
            "A recovery code was used",
            "Somebody, hopefully you, signed in to your account with one of your recovery codes. If it was not you, "
            "change your password and make new codes on the page below.",
        ),
        "fr": (
            "Un code de secours a été utilisé",
            "Quelqu'un, sans doute vous, s'est connecté à votre compte avec un de vos codes de secours. Si ce n'était "
            "pas vous, changez votre mot de passe et créez de nouveaux codes sur la page ci-dessous.",
        ),
    },
    "account.identity_linked": {
        "en": (
            "A way to sign in was linked",
            "Your account can now be entered through another sign-in service. If it was not you, change your "
            "password and remove it on the page below.",
        ),
        "fr": (
            "Un moyen de connexion a été lié",
            "On peut maintenant entrer dans votre compte par un autre service de connexion. Si ce n'était pas vous, "
            "changez votre mot de passe et retirez-le sur la page ci-dessous.",
        ),
    },
    "waitlist.offered": {
        "en": (
            "A time has become free",
            "You can see {other} on {when}. The time is kept for you until {until}: accept it on your visits page.",
        ),
        "fr": (
            "Un horaire s'est libéré",
            "Vous pouvez voir {other} le {when}. L'horaire vous est réservé jusqu'au {until} : acceptez-le sur la page "
            "de vos visites.",
        ),
    },
    "practitioner.licence_ending": {
        "en": (
            "Your licence is ending",
            "Your licence ends on {day}. Later times are not offered to patients. Visits already booked after that "
            "day: {count}. Ask an administrator to enter the renewal.",
        ),
        "fr": (
            "Votre autorisation d'exercer arrive à son terme",
            "Votre autorisation d'exercer prend fin le {day}. Aucun horaire n'est proposé au-delà. Visites déjà "
            "réservées après ce jour : {count}. Demandez à un administrateur d'enregistrer le renouvellement.",
        ),
    },
    "reminder": {
        "en": ("Reminder of your appointment", "Your video visit with {other} begins on {when}."),
        "fr": ("Rappel de votre rendez-vous", "Votre visite vidéo avec {other} commence le {when}."),
    },
}
# Calendars are shared with families and employers and shown on locked screens: whom one meets is not said.
_CALENDAR_TITLES = {"en": "Video visit", "fr": "Visite vidéo"}
_MAIL = {
    "en": ("Hello {name},", "Open Bedside: {link}", "This message was sent automatically. Please don't answer it."),
    "fr": ("Bonjour {name},", "Ouvrir Bedside : {link}", "Ce message est automatique. Merci de ne pas y répondre."),
}


def known_language(tag: str) -> str:
    """The language of ours nearest to a BCP 47 tag."""
    primary = tag.partition("-")[0].lower()
    return primary if primary in LANGUAGES else LANGUAGES[0]


def kinds() -> frozenset[str]:
    return frozenset(_TEXTS)


def render(kind: str, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Title and body of a notice."""
    title, body = _TEXTS[kind][known_language(language)]
    return title, body.format_map(values)


def mail_text(language: str, name: str, body: str, link: str) -> str:
    """The whole text of an email."""
    greeting, opening, ending = _MAIL[known_language(language)]
    return f"{greeting.format(name=name)}\n\n{body}\n\n{opening.format(link=link)}\n\n-- \n{ending}\n"


def for_somebody(language: str, name: str, body: str) -> str:
    """A notice's body for whoever acts for the person it is about."""
    return f"Pour {name} : {body}" if known_language(language) == "fr" else f"For {name}: {body}"


def calendar_title(language: str) -> str:
    return _CALENDAR_TITLES[known_language(language)]


def when(moment: datetime, language: str, time_zone: str) -> str:
    """A moment in a person's zone and language, with the zone named: ``Saturday 21 November 2026 at 14:30 (…)``."""
    local, zone = moment.astimezone(ZoneInfo(time_zone)), time_zone.replace("_", " ")
    at = "à" if known_language(language) == "fr" else "at"
    return f"{day(local, language)} {at} {local:%H:%M} ({zone})"


def day(which: date, language: str) -> str:
    """A date: ``Saturday 21 November 2026``."""
    chosen = known_language(language)
    return f"{_DAYS[chosen][which.weekday()]} {which.day} {_MONTHS[chosen][which.month - 1]} {which.year}"


def money(amount_minor: int, currency: str, language: str) -> str:
    """An amount for people: ``15,000 XOF``, ``12.50 EUR``; French groups by narrow spaces and has a comma."""
    digits = 0 if currency in _NO_MINOR_UNIT else 2
    text = f"{amount_minor / 10**digits:,.{digits}f}"
    if known_language(language) == "fr":
        text = text.replace(",", "\u202f").replace(".", ",")
    return f"{text} {currency}"
