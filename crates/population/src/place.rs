//! Where people live and where they are treated: communes of the city and the invented facilities,
//! taken from the catalogue once.

use sokhoe_catalogue::{Catalogue, DemoFacility, demo_facilities};
use sokhoe_record::{Address, Date, PartialDate};

use crate::PopulationError;
use crate::rng::Rng;

/// The day of the list of administrative units that every address names.
pub(crate) const LIST_DATE: (u16, u8, u8) = (2025, 7, 1);

/// A facility by its place in [`Places::facilities`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Provider(u8);

impl Provider {
    /// Facility `99001`, whose token the demonstration's hospital holds.
    pub(crate) const FIRST_HOSPITAL: Self = Self(0);
    /// Facility `99002`.
    pub(crate) const SECOND_HOSPITAL: Self = Self(1);
}

/// The city: what its households choose from.
#[derive(Debug)]
pub(crate) struct Places {
    communes: Vec<(Box<str>, Box<str>)>,
    facilities: &'static [DemoFacility],
    hospitals: Vec<Provider>,
    stations: Vec<Provider>,
}

/// A household's address and its usual providers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    commune: usize,
    number: u16,
    street: &'static str,
    pub(crate) station: Provider,
    hospital: Provider,
    other_hospital: Provider,
}

const STREETS: [&str; 24] = [
    "Lê Lợi",
    "Nguyễn Huệ",
    "Trần Hưng Đạo",
    "Lý Thường Kiệt",
    "Cách Mạng Tháng Tám",
    "Nguyễn Trãi",
    "Hai Bà Trưng",
    "Điện Biên Phủ",
    "Võ Văn Tần",
    "Phan Đình Phùng",
    "Nguyễn Văn Cừ",
    "Lê Văn Sỹ",
    "Hoàng Văn Thụ",
    "Quang Trung",
    "Phạm Văn Đồng",
    "Nguyễn Thị Minh Khai",
    "Trường Chinh",
    "Âu Cơ",
    "Lạc Long Quân",
    "Tô Hiến Thành",
    "Bà Hạt",
    "Nguyễn Đình Chiểu",
    "Huỳnh Tấn Phát",
    "Kha Vạn Cân",
];

impl Places {
    /// Reads the catalogue.
    pub(crate) fn new(catalogue: &Catalogue) -> Result<Self, PopulationError> {
        let (year, month, day) = LIST_DATE;
        let day = Date::from_ymd(year, month, day);
        let list = day.and_then(|day| catalogue.list_on("dvhc", "communes-hcmc", day));
        let list = list.ok_or(PopulationError::NoCommunes)?;
        let communes = list
            .entries()
            .iter()
            .map(|entry| (entry.code.clone(), entry.vi.clone()));
        let facilities = demo_facilities();
        let of_level = |station: bool| {
            let numbered = (0_u8..).zip(facilities);
            let chosen =
                numbered.filter(|(_, facility)| (&*facility.level == "station") == station);
            chosen.map(|(index, _)| Provider(index)).collect::<Vec<_>>()
        };
        let (hospitals, stations) = (of_level(false), of_level(true));
        let places = Self {
            communes: communes.collect(),
            facilities,
            hospitals,
            stations,
        };
        let enough = places.hospitals.len() >= 2 && !places.stations.is_empty();
        if places.communes.is_empty() || !enough {
            return Err(PopulationError::NoCommunes);
        }
        Ok(places)
    }

    /// Every facility with the provider that stands for it.
    pub(crate) fn providers(&self) -> impl Iterator<Item = (Provider, &'static DemoFacility)> {
        (0..).map(Provider).zip(self.facilities)
    }

    /// The code of a facility.
    pub(crate) fn code(&self, provider: Provider) -> &'static str {
        self.facilities
            .get(usize::from(provider.0))
            .map_or("99001", |facility| &facility.code)
    }

    /// Draws a household's address. Inner communes are drawn more often than outer ones.
    pub(crate) fn home(&self, rng: &mut Rng) -> Home {
        let count = u32::try_from(self.communes.len()).unwrap_or(1);
        let commune = rng.below(count).max(rng.below(count)) as usize;
        Home {
            commune,
            number: u16::try_from(rng.between(1, 480)).unwrap_or(1),
            street: rng.pick(&STREETS),
            station: self.stations[commune % self.stations.len()],
            hospital: self.hospitals[rng.weighted(&[45, 30, 15, 10]) % self.hospitals.len()],
            other_hospital: rng.pick(&self.hospitals),
        }
    }

    /// The address as events write it.
    pub(crate) fn address(&self, home: &Home) -> Address {
        let (code, name) = &self.communes[home.commune];
        let (year, month, day) = LIST_DATE;
        Address {
            commune: Some(code.to_string()),
            list_date: PartialDate::day(year, month, day),
            text: Some(format!(
                "{} {}, {name}, Thành phố Hồ Chí Minh",
                home.number, home.street
            )),
            ..Address::default()
        }
    }
}

impl Home {
    /// The hospital that one member goes to: mostly the household's.
    pub(crate) fn hospital(&self, rng: &mut Rng) -> Provider {
        if rng.chance(8_500) {
            self.hospital
        } else {
            self.other_hospital
        }
    }
}
