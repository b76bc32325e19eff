"""Classes of goods and services as people name them, and what each Nice class is about in a few words.

    parse("9"), parse("nice:09"), parse("cn_subclass:0901")

The short names are ours, for choosing on a page; the classification's own headings are WIPO's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import cast, get_args

from chopmark.base.errors import Invalid
from chopmark.rights.record import Class, Scheme

_FORMS: Mapping[str, re.Pattern[str]] = {
    "nice": re.compile(r"0?[1-9]|[1-3][0-9]|4[0-5]"),
    "cn_subclass": re.compile(r"(0[1-9]|[1-3][0-9]|4[0-5])[0-9]{2}"),
    "jp_kr_similar_group": re.compile(r"[GS]?[0-9]{2}[A-Z0-9]{2,8}"),
    "locarno": re.compile(r"[0-9]{1,2}([-.][0-9]{1,2})?"),
    "ipc": re.compile(r"[A-H]([0-9]{2}([A-Z]( ?[0-9]{1,4}/[0-9]{2,6})?)?)?"),
    "cpc": re.compile(r"[A-HY]([0-9]{2}([A-Z]( ?[0-9]{1,4}/[0-9]{2,6})?)?)?"),
    "us": re.compile(r"[0-9A-Z]{1,4}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A class that somebody asks for, in its plain form: `9`, not `09`."""

    scheme: Scheme
    code: str

    def text(self) -> str:
        """As it is written: the number alone for a Nice class."""
        return self.code if self.scheme == "nice" else f"{self.scheme}:{self.code}"


def parse(text: str) -> Asked:
    """A class by its number, or by scheme and code.

    Raises:
        Invalid: `rules.class_unknown`.
    """
    scheme, _, code = text.strip().rpartition(":")
    scheme, code = scheme or "nice", code.strip().upper()
    if scheme not in get_args(Scheme) or not code.isascii() or not _FORMS[scheme].fullmatch(code):
        raise Invalid("rules.class_unknown", cls=text[:40])
    return Asked(scheme=cast("Scheme", scheme), code=plain(scheme, code))


def read(text: str) -> Asked | None:
    """Like `parse`, for codes that stand in grants as the register writes them: four figures are a Chinese subclass.

    None for what belongs to no scheme that is known.
    """
    try:
        return parse(f"cn_subclass:{text.strip()}" if re.fullmatch(r"[0-9]{4}", text.strip()) else text)
    except Invalid:
        return None


def plain(scheme: str, code: str) -> str:
    """A code as it is compared: a Nice class without its zero."""
    upper = code.strip().upper()
    return upper.lstrip("0") if scheme == "nice" else upper


def counting(found: Iterable[Class], on: date) -> tuple[Class, ...]:
    """Those that have not ended by a day."""
    return tuple(each for each in found if each.until is None or on < each.until)


def among(one: Class, codes: Collection[str]) -> bool:
    """Whether a class is one of these codes; a Nice class among them takes its subclasses with it."""
    named = {plain("nice", each) for each in codes}
    if plain("nice", one.code) in named:
        return True
    return one.scheme == "cn_subclass" and plain("nice", one.code.strip()[:2]) in named


def nice_of(asked: Asked) -> str:
    """The Nice class that a class lies in; empty where the scheme does not say."""
    match asked.scheme:
        case "nice":
            return asked.code
        case "cn_subclass":
            return asked.code[:2].lstrip("0")
        case _:
            return ""


def nice_name(code: str, language: str) -> str:
    """What a Nice class is about, in `zh` or `en`; empty for what is none."""
    en, zh = _NICE.get(code.lstrip("0"), ("", ""))
    return zh if language.startswith("zh") else en


_NICE: Mapping[str, tuple[str, str]] = {
    "1": ("Chemicals for industry", "工业化学品"),
    "2": ("Paints, varnishes", "颜料、油漆"),
    "3": ("Cosmetics, cleaning", "化妆品、清洁用品"),
    "4": ("Oils, fuels, candles", "燃料、油脂、蜡烛"),
    "5": ("Medicines", "药品"),
    "6": ("Metal goods", "金属制品"),
    "7": ("Machines", "机械设备"),
    "8": ("Hand tools", "手工器械"),
    "9": ("Electronics, software, glasses", "电子产品、软件、眼镜"),
    "10": ("Medical devices", "医疗器械"),
    "11": ("Lighting, heating, kitchen appliances", "灯具、空调、厨房电器"),
    "12": ("Vehicles", "运输工具"),
    "13": ("Firearms, fireworks", "军火、烟火"),
    "14": ("Jewellery, watches", "珠宝、钟表"),
    "15": ("Musical instruments", "乐器"),
    "16": ("Paper, stationery, printed matter", "办公用品、印刷品"),
    "17": ("Rubber, plastics, insulation", "橡胶、塑料制品"),
    "18": ("Leather, bags, umbrellas", "皮具、箱包、伞"),
    "19": ("Building materials", "建筑材料"),
    "20": ("Furniture", "家具"),
    "21": ("Household utensils, glassware", "厨房洁具、玻璃瓷器"),
    "22": ("Ropes, tents, sacks", "绳网、帐篷、袋"),
    "23": ("Yarns", "纱线"),
    "24": ("Textiles, bed linen", "布料、床单"),
    "25": ("Clothing, shoes, hats", "服装、鞋、帽"),
    "26": ("Haberdashery", "花边、拉链、假发"),
    "27": ("Carpets", "地毯、席垫"),
    "28": ("Toys, games, sports", "玩具、游戏、体育用品"),
    "29": ("Meat, dairy, preserved food", "肉、乳、加工食品"),
    "30": ("Coffee, tea, bakery, sweets", "咖啡、茶、糕点、糖果"),
    "31": ("Fresh produce, live animals", "生鲜、动植物"),
    "32": ("Beer, soft drinks", "啤酒、饮料"),
    "33": ("Alcoholic drinks", "酒"),
    "34": ("Tobacco", "烟草、烟具"),
    "35": ("Advertising, retail, business", "广告、销售、商业"),
    "36": ("Finance, insurance, real estate", "金融、保险、不动产"),
    "37": ("Construction, repair", "建筑、修理"),
    "38": ("Telecommunications", "通讯服务"),
    "39": ("Transport, travel, storage", "运输、旅行、贮藏"),
    "40": ("Treatment of materials", "材料加工"),
    "41": ("Education, entertainment", "教育、娱乐"),
    "42": ("Research, software services", "科研、软件服务"),
    "43": ("Restaurants, lodging", "餐饮、住宿"),
    "44": ("Medical, beauty, farming services", "医疗、美容、园艺"),
    "45": ("Legal, security, personal services", "法律、安保、社会服务"),
}
