//! Vietnamese names in proportion: family names, middle names and given names by sex.
//!
//! The lists are common words; no row of any register went into them.

use crate::rng::Rng;

/// Family names with their share of 1,000 people.
const FAMILY: [(&str, u32); 22] = [
    ("Nguyễn", 384),
    ("Trần", 121),
    ("Lê", 95),
    ("Phạm", 70),
    ("Huỳnh", 51),
    ("Phan", 45),
    ("Vũ", 39),
    ("Võ", 33),
    ("Đặng", 21),
    ("Bùi", 20),
    ("Đỗ", 14),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 10),
    ("Đinh", 9),
    ("Trương", 9),
    ("Lâm", 8),
    ("Mai", 7),
    ("Cao", 7),
    ("Tạ", 6),
    ("Châu", 5),
];

const MIDDLE_MALE: [&str; 16] = [
    "Văn", "Văn", "Văn", "Hữu", "Đức", "Minh", "Quốc", "Thanh", "Công", "Hoàng", "Ngọc", "Gia",
    "Xuân", "Tuấn", "Anh", "Nhật",
];
const MIDDLE_FEMALE: [&str; 16] = [
    "Thị",
    "Thị",
    "Thị",
    "Thị Ngọc",
    "Thị Thanh",
    "Ngọc",
    "Thu",
    "Thanh",
    "Kim",
    "Minh",
    "Thị Kim",
    "Bảo",
    "Hoài",
    "Thùy",
    "Phương",
    "Khánh",
];
const GIVEN_MALE: [&str; 40] = [
    "Anh", "Bình", "Cường", "Dũng", "Duy", "Đạt", "Hải", "Hậu", "Hiếu", "Hòa", "Hùng", "Huy",
    "Khang", "Khánh", "Khoa", "Kiên", "Lâm", "Long", "Lộc", "Minh", "Nam", "Nghĩa", "Nhân", "Phát",
    "Phong", "Phúc", "Quân", "Quang", "Sơn", "Tài", "Tâm", "Thành", "Thắng", "Thịnh", "Tiến",
    "Toàn", "Trí", "Trung", "Tuấn", "Vinh",
];
const GIVEN_FEMALE: [&str; 40] = [
    "An", "Anh", "Bích", "Châu", "Chi", "Cúc", "Diễm", "Dung", "Giang", "Hà", "Hạnh", "Hằng",
    "Hiền", "Hoa", "Hồng", "Huệ", "Hương", "Lan", "Liên", "Linh", "Loan", "Mai", "My", "Nga",
    "Ngân", "Ngọc", "Nhi", "Nhung", "Oanh", "Phương", "Quyên", "Thảo", "Thu", "Thủy", "Trang",
    "Trâm", "Trinh", "Tuyết", "Vân", "Yến",
];

/// A name in its parts; the full name is family, middle and given together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PersonName {
    pub(crate) family: &'static str,
    pub(crate) middle: &'static str,
    pub(crate) given: &'static str,
}

impl PersonName {
    pub(crate) fn full(self) -> String {
        format!("{} {} {}", self.family, self.middle, self.given)
    }
}

/// A family name by its share.
pub(crate) fn family(rng: &mut Rng) -> &'static str {
    FAMILY[rng.weighted(&FAMILY.map(|(_, share)| share))].0
}

/// A name of someone of that family.
pub(crate) fn of_family(rng: &mut Rng, family: &'static str, female: bool) -> PersonName {
    let (middles, givens) = if female {
        (&MIDDLE_FEMALE, &GIVEN_FEMALE)
    } else {
        (&MIDDLE_MALE, &GIVEN_MALE)
    };
    PersonName {
        family,
        middle: rng.pick(middles),
        given: rng.pick(givens),
    }
}
