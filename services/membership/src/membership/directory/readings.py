"""How characters are read: toneless pinyin, `u` for ü, every reading of a surname and the usual ones elsewhere.

Readings come from pypinyin's table of single characters (41,900, of which 15,100 beyond the BMP), each looked up once. Asking pypinyin
for a whole name costs fifty times as much and chooses one reading by the phrase, where a search needs all of them.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import product
from math import prod

from pypinyin.pinyin_dict import pinyin_dict

COMPOUND_SURNAMES = frozenset(
    "欧阳 上官 司马 诸葛 尉迟 皇甫 令狐 司徒 夏侯 慕容 万俟 长孙 东方 独孤 端木 公孙 轩辕 宇文 鲜于 闻人 澹台 淳于 单于 申屠 公冶 太叔 "
    "钟离 仲孙 呼延 完颜 南宫 西门 东郭 百里 第五 拓跋 赫连 左丘 梁丘 濮阳 公羊 乐正 宰父 谷梁 亓官 巫马 公西 漆雕 壤驷 颛孙 宗政 纳兰".split()
)

INITIALS = frozenset("abcdefghjklmnopqrstwxyz")
"""The letters that a syllable can begin with: all but i, u and v."""

# Characters that names use with fewer readings than the dictionary has, or with one that it lacks (折, 黑): as people read their names.
_AS_NAMES = """
王wang 吴wu 朱zhu 冯feng 于yu 董dong 邓deng 许xu 沈shen 曾zeng/ceng 彭peng 蔡cai 贾jia 丁ding 叶ye 余yu 潘pan 杜du 夏xia 汪wang 任ren 方fang
石shi 姚yao 陆lu 郝hao 白bai 万wan/mo 汤tang 尹yin 殷yin/yan 施shi 陶tao 翟zhai/di 倪ni 温wen 芦lu 俞yu/shu 焦jiao 邢xing 路lu 齐qi 莫mo 庄zhuang
祝zhu 涂tu 谷gu 祁qi 舒shu 牟mou/mu 卜bu 詹zhan 盛sheng/cheng 童tong 甄zhen 游you 裴pei 查zha/cha 屈qu 覃qin/tan 霍huo 隋sui 甘gan 景jing 薄bo/bao
单shan/dan/chan 包bao 司si 柏bai/bo 宁ning 阮ruan 解xie/jie 强qiang/jiang 柴chai 车che/ju 冉ran 房fang 瞿qu 戚qi 古gu 池chi 苑yuan 臧zang 褚chu
盖ge/gai 姬ji 糜mi 冷leng 仇qiu/chou 艾ai 蓝lan 都du/dou 乐yue/le 卞bian 封feng 竺zhu 冼xian 栗li 匡kuang 台tai 鞠ju 明ming 沙sha 和he 朴piao/pu
缪miao/mou 区ou/qu 种chong/zhong 逄pang 皇huang 甫fu 令ling 狐hu 侯hou 容rong 尉yu/wei 俟qi 长zhang/chang 折she/zhe 黑he/hei 秘bi/mi 繁po/fan
员yun/yuan 召shao/zhao 洗xian/xi 祭zhai/ji 隗kui/wei 谌chen/shen 宓fu/mi 幺yao 平ping 英ying 红hong 超chao 若ruo 洋yang 其qi 勒le 合he 呼hu 哈ha
塔ta 央yang 娃wa 宪xian 家jia 帕pa 广guang 彬bin 才cai 格ge 次ci 波bo 洁jie 浩hao 淑shu 立li 胜sheng 莉li 萌meng 达da 震zhen 青qing 顿dun 俊jun
大da 月yue 培pei 喜xi 阿a 思si 可ke 斯si 鑫xin 增zeng
"""

_INTERJECTIONS = frozenset({"m", "n", "ng", "hm", "hng"})
_GIVEN_READINGS_MAX = 2
_SPELLINGS_MAX = 24


def plain(pinyin: str) -> str:
    """Pinyin without tones, in lower case, with `u` for ü however it was written: lǚ, lü, lv and lyu all become lu."""
    letters = unicodedata.normalize("NFD", pinyin).casefold().replace("v", "u")
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return bare.replace("lyu", "lu").replace("nyu", "nu")


@cache
def _as_names() -> dict[str, tuple[str, ...]]:
    return {entry[0]: tuple(entry[1:].split("/")) for entry in _AS_NAMES.split()}


@cache
def readings(character: str) -> tuple[str, ...]:
    """A character's readings, the commonest first; none where nobody has recorded one."""
    known = _as_names().get(character)
    if known is not None:
        return known
    found = pinyin_dict.get(ord(character))
    if found is None:
        return ()
    return tuple(syllable for syllable in dict.fromkeys(plain(one) for one in found.split(",")) if syllable not in _INTERJECTIONS)


@cache
def syllables() -> frozenset[str]:
    """Every syllable that some character has."""
    return frozenset(syllable for code in pinyin_dict for syllable in readings(chr(code)))


def surname_length(name: str) -> int:
    """How many characters the surname takes: two where a compound surname is followed by something."""
    return 2 if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else 1


def _spelled(options: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    read = [each for each in options if each]
    if prod(len(each) for each in read) <= _SPELLINGS_MAX:
        return tuple(product(*read))
    # A long name with many heteronyms: the usual reading, and every reading that differs from it in one character.
    usual = tuple(each[0] for each in read)
    one_off = [(*usual[:at], other, *usual[at + 1 :]) for at, each in enumerate(read) for other in each[1:]]
    return (usual, *one_off)


@lru_cache(maxsize=20_000)
def surname_spellings(surname: str) -> tuple[tuple[str, ...], ...]:
    """A surname's spellings, syllable by syllable: 单 is dan, chan and shan."""
    return _spelled([readings(character) for character in surname])


@lru_cache(maxsize=200_000)
def given_spellings(given: str) -> tuple[tuple[str, ...], ...]:
    """The spellings of a given name, or of a name that has no surname: rare readings of its characters are left out."""
    return _spelled([readings(character)[:_GIVEN_READINGS_MAX] for character in given])
