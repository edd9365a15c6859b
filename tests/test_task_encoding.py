"""Promises of encodings: names and labels are never the letters of another encoding, and a guess is said as one."""

from __future__ import annotations

import pytest

from autometa.errors import InputError
from autometa.task import read_table, read_task

CELLS = {  # encoding -> a header, places, labels
    "gbk": ("城市,结果", ["北京", "上海", "广州"], ["通过", "拒绝"]),
    "big5": ("城市,結果", ["臺北", "高雄", "臺中"], ["通過", "拒絕"]),
    "cp932": ("都市,結果", ["東京", "大阪", "名古屋"], ["はい", "いいえ"]),
    "euc_jp": ("都市,結果", ["東京", "大阪", "名古屋"], ["はい", "いいえ"]),
    "cp949": ("도시,결과", ["서울", "부산", "대구"], ["합격", "불합격"]),
    "cp1251": ("город,ответ", ["Москва", "Казань", "Тверь"], ["да", "нет"]),
    "koi8_r": ("город,ответ", ["Москва", "Казань", "Тверь"], ["да", "нет"]),
    "cp1250": ("miasto,wynik", ["Łódź", "Kraków", "Gdańsk"], ["źle", "świetnie"]),
    "iso8859_2": ("město,výsledek", ["Plzeň", "Třebíč", "Žďár"], ["špatně", "dobře"]),
    "latin-1": ("stadt,größe", ["Zürich", "Köln", "Aßlar"], ["schön", "übel"]),
    "cp1252": ("ville,prix", ["Orléans", "Sète", "Besançon"], ["5 €", "8 €"]),
    "cp1254": ("şehir,sonuç", ["İzmir", "Muğla", "Kırşehir"], ["doğru", "yanlış"]),
    "cp1253": ("πόλη,τιμή", ["Αθήνα", "Πάτρα", "Λάρισα"], ["ναι", "όχι"]),
    "cp1255": ("עיר,תוצאה", ["חיפה", "אילת", "ירושלים"], ["כן", "לא"]),
    "cp1256": ("مدينة,نتيجة", ["القاهرة", "بغداد", "دمشق"], ["نعم", "لا"]),
    "cp874": ("เมือง,ผล", ["กรุงเทพ", "เชียงใหม่", "ภูเก็ต"], ["ใช่", "ไม่"]),
    "cp850": ("stadt,größe", ["Zürich", "Köln", "Gießen"], ["schön", "übel"]),
    "utf-8": ("城市,größe", ["北京", "Köln", "Łódź"], ["да", "nein"]),
    "utf-8-sig": ("城市,größe", ["北京", "Köln", "Łódź"], ["да", "nein"]),
    "utf-16": ("城市,größe", ["北京", "Köln", "Łódź"], ["да", "nein"]),
    "utf-16-le": ("stadt,größe", ["Zürich", "Köln", "Aßlar"], ["schön", "übel"]),
}


def text(encoding: str) -> str:
    header, places, labels = CELLS[encoding]
    return f"x,{header}\n" + "".join(f"{i % 7}.5,{places[i % 3]},{labels[i % 2]}\n" for i in range(40))


@pytest.mark.parametrize("encoding", CELLS)
def test_a_table_in_any_usual_encoding_keeps_its_names_and_labels_and_a_guess_is_said(encoding: str) -> None:
    header, places, labels = CELLS[encoding]
    task = read_task(text(encoding).encode(encoding))
    assert [*task.X, task.target] == ["x", *header.split(",")]
    assert set(task.classes) == set(labels)
    assert set(task.X.iloc[:, 1]) == set(places)
    assert any("a guess" in note for note in task.notes) == (not encoding.startswith("utf"))


@pytest.mark.parametrize("encoding", CELLS)
def test_an_encoding_can_be_said(encoding: str) -> None:
    frame, notes = read_table(text(encoding).encode(encoding), encoding=encoding)
    assert list(frame) == ["x", *CELLS[encoding][0].split(",")]
    assert not any("ncoding" in note for note in notes)


def test_blanks_between_thousands_do_not_hide_the_letters() -> None:
    text = "town;price\n" + "".join(f"{['Orléans', 'Sète'][i % 2]};{i + 1}\u00a0{100 + i},50\n" for i in range(60))
    frame, _ = read_table(text.encode("latin-1"))
    assert frame["town"][0] == "Orléans"


def test_two_encodings_that_are_as_likely_are_both_named() -> None:
    _, notes = read_table("都市,結果\n東京,1\n大阪,0\n".encode("euc_jp"))
    assert any("nearly as likely" in note for note in notes)


def test_strays_in_utf_8_are_windows_letters_and_said_with_their_line() -> None:
    data = b"town,class\n" + "Köln,a\n".encode() * 30 + "Zürich,b\n".encode("latin-1") * 2
    frame, notes = read_table(data)
    assert frame["town"].tolist() == ["Köln"] * 30 + ["Zürich"] * 2
    assert any("2 bytes are not (line 32, 33)" in note for note in notes)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("gkb", "unknown encoding 'gkb'. Did you mean 'gbk'?"),
        ("ascii", "line 3 has the byte 0xc3"),
        ("hex", "unknown encoding 'hex'"),
    ],
)
def test_an_encoding_that_cannot_be_is_refused_with_where(encoding: str, message: str) -> None:
    with pytest.raises(InputError, match="ncoding") as caught:
        read_table("a,b\n1,x\n2,ö\n".encode(), encoding=encoding)
    assert message in str(caught.value)
