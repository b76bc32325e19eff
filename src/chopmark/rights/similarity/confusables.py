"""Characters of other scripts that look like a Latin letter or a digit, and the plain one that each stands for here.

The idea is that of Unicode's UTS 39; the table is a selection of its own, of letters that fonts really have: who copies
a brand uses what a shop's page can show. Compatibility forms (full width, mathematical, circled, superscript) are not
listed, because NFKC has already made them plain.
"""

from __future__ import annotations

from types import MappingProxyType

LOOKS_LIKE = MappingProxyType(
    {
        "a": "АаΑαɑᎪᗅꓮᴀ⍺Ꭿ∀",
        "b": "ВвΒβЬьЪъᏴᏏᗷᑲꓐʙƄƅɓϐᖯꞵ฿",
        "c": "СсϹϲᏟꓚᴄⅭⲤⲥ¢ↄƈ©",
        "d": "ԀԁᎠᗞꓓᴅɗɖᏧᑯᗪꓒđ",
        "e": "ЕеΕεℯЄєᎬꓰᴇ℮ҽɛεëəƐⴹ⋿€∃ξΞꬲ",
        "f": "ϜϝꓝƒꞘꞙᖴẝſꬵẜ",
        "g": "ɡɢᏀᏳԌԍցƍꓖᶃǥɠ₲",
        "h": "НнΗһҺᎻꓧʜհɦⲎⲏԋҥңᏂᕼዘ",
        "i": "ІіΙιɪıӀӏᎥꙆꙇɩ¡ꓲⲒⲓⵏ⍳ɨƖ",
        "j": "ЈјϳᎫꓙᴊʝɟᒍյ",
        "k": "КкΚκϰᏦꓗᴋⲔⲕқҚƙᛕҝ₭",
        "l": "ⅼʟᏞꓡӏⳐⳑ∣│ǀɭɫᒪ۱ᛁ⏽ł£",
        "m": "МмΜϺϻᎷꓟᴍⲘⲙᗰᛖɱ₥",
        "n": "ΝηոռпПпɴꓠⲚⲛŋήИиҋ₦",
        "o": "ОоΟοσՕօᎾꓳᴏᴑⲞⲟ०੦૦೦ം๐໐၀ဝ〇۵٥ⵔΘθØøɵ௦౦ంಂംഠ൦ංჿዐꬽ୦ଠ",
        "p": "РрΡρϱᏢꓑᴘⲢⲣþÞᑭ⍴ƿ₱",
        "q": "ԚԛɋႭզգⵕԛʠ",
        "r": "ГгᎡᏒꓣʀᖇɾɼЯяᴦꭇꭈⲄⲅᎱ®",
        "s": "ЅѕՏտꓢꜱʂᏕᏚƽƼ§",
        "t": "ТтΤτᎢꓔᴛⲦⲧ⊤⟙ʈŧ†",
        "u": "ՍսυԱᑌꓴᴜʊʋ∪⋃ЦцμµሀꞟꭎꭒÜ",
        "v": "ѴѵνᏙᏤꓦᴠⱱᐯ∨⋁٧۷ⴸꛟ√",
        "w": "ԜԝωᎳᏔꓪᴡɯաѡШшЩщϢ₩",
        "x": "ХхΧχꓫᕁⲬⲭ×ᚷ╳⤫⤬⨯ⵝᕽ᙭᙮ҳҲ",
        "y": "УуΥүҮұγʏꓬᎩᎽყᶌⲨⲩɣỿꭚ¥ý",
        "z": "ΖζᏃꓜᴢʐƶʒӠӡ",
        "2": "Ƨƨᒿϩꙅꛯ",
        "3": "ЗзȜȝɜⳌⳍꝫ",
        "4": "ᏎЧч",
        "6": "бᏮⳒⳓ",
        "8": "Ȣȣ৪੪ଃ",
        "9": "৭੧୨൭ⳊⳋꝮꝯ",
    }
)


def _table() -> dict[int, str]:
    """For `str.translate`; what is plain already stays."""
    return {ord(each): plain for plain, all_of_it in LOOKS_LIKE.items() for each in all_of_it if not each.isascii()}


TABLE = MappingProxyType(_table())
