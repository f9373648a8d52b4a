"""The directory of members 会员名录: search by name, pinyin, initials, phone and identity number."""
