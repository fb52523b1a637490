"""Irregular verbs, whose forms have several stems: a question has `did they write`, what answers it `they wrote`.

All forms of a verb that is asked for are looked up, and count as one term. The index has the words as they were said.
Left out are verbs that nearly every text has (go, get, take, say and the like: their forms only add noise), and forms
that are another word more often (bit, bore, found, left, rose).
"""

from functools import cache

from . import words

_VERBS = """
become became; begin began begun; bend bent; bind bound; bite bitten; bleed bled; blow blew blown; break broke broken;
breed bred; build built; burn burnt; buy bought; catch caught; choose chose chosen; creep crept; deal dealt; dig dug;
draw drew drawn; dream dreamt; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel
felt; fight fought; flee fled; fly flew flown; forbid forbade forbidden; forget forgot forgotten; forgive forgave
forgiven; freeze froze frozen; grow grew grown; hang hung; hear heard; hide hid hidden; lead led; lean leant; leap
leapt; learn learnt; lend lent; light lit; lose lost; meet met; pay paid; prove proven; ride rode ridden; ring rang
rung; rise risen; seek sought; sell sold; send sent; sew sewn; shake shook shaken; shine shone; shoot shot; shrink
shrank shrunk; sing sang sung; sink sank sunk; sit sat; sleep slept; slide slid; speak spoke spoken; spell spelt;
spend spent; spin spun; spoil spoilt; spring sprang sprung; stand stood; steal stole stolen; stick stuck; sting stung;
strike struck; swear swore sworn; sweep swept; swim swam swum; swing swung; teach taught; tear tore torn; throw threw
thrown; undergo underwent undergone; understand understood; wake woke woken; wear wore worn; weave wove woven; weep
wept; win won; withdraw withdrew withdrawn; write wrote written
"""


@cache
def _verbs() -> dict[str, tuple[str, ...]]:
    """Of the stem of each form those of all forms of its verb, that of the infinitive first."""
    verbs = [tuple(dict.fromkeys(words.terms(verb))) for verb in _VERBS.split(";")]
    return {stem: verb for verb in verbs for stem in verb}


def forms(term: str) -> tuple[str, ...]:
    """The terms that count as this one, the one that stands for all of them first."""
    return _verbs().get(term, (term,))


def base(term: str) -> str:
    """The term that stands for all forms of a term."""
    return forms(term)[0]
