//! What is in an access stream, in plain words for the person whose record it is: in Vietnamese, or in English.

use std::fmt::Write;

use sokhoe_commands::OpenedEvent;
use sokhoe_record::{
    AccessReviewed, Data, GlassBroken, Instant, Interface, Occurred, Purpose, RecordAccessed,
    ReviewOutcome, Section, Viewer,
};

/// A language that things are said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Vietnamese,
    English,
}

impl Language {
    /// The language's tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Vietnamese => "vi",
            Self::English => "en",
        }
    }

    const fn of(self, vietnamese: &'static str, english: &'static str) -> &'static str {
        match self {
            Self::Vietnamese => vietnamese,
            Self::English => english,
        }
    }

    fn role(self, word: &str) -> &str {
        match word {
            "hospital" => self.of("Hệ thống của cơ sở", "The system of facility"),
            "clinician" => self.of("Nhân viên y tế của cơ sở", "A clinician of facility"),
            "station" => self.of("Trạm y tế", "The health station"),
            "citizen" => self.of("Chính chủ sổ", "The owner of the book"),
            "guardian" => self.of("Người giám hộ", "The guardian"),
            "auditor" => self.of("Kiểm toán viên", "An auditor"),
            "researcher" => self.of("Người nghiên cứu", "A researcher"),
            "epidemiologist" => self.of("Nhà dịch tễ", "An epidemiologist"),
            "department" => self.of("Sở y tế", "The health department"),
            "dashboard" => self.of("Bảng số liệu", "A dashboard"),
            "admin" => self.of("Quản trị viên", "An administrator"),
            "operator" => self.of("Người vận hành", "An operator"),
            other => other,
        }
    }

    const fn purpose(self, purpose: Purpose) -> &'static str {
        match purpose {
            Purpose::Treatment => self.of("để khám, điều trị", "for treatment"),
            Purpose::Emergency => self.of("để cấp cứu", "in an emergency"),
            Purpose::PatientRequest => self.of("theo yêu cầu của chủ sổ", "at the owner's request"),
            Purpose::PublicHealth => self.of("vì y tế công cộng", "for public health"),
            Purpose::Research => self.of("để nghiên cứu", "for research"),
            Purpose::Operations => self.of("để vận hành", "for operations"),
        }
    }

    const fn what(self, through: Interface) -> &'static str {
        match through {
            Interface::Record => self.of("sổ sức khỏe", "the health book"),
            Interface::History => self.of("lịch sử ghi sổ", "the history"),
            Interface::Resource => self.of("một mục trong sổ", "one entry"),
            Interface::Search => self.of("tên trong kết quả tìm kiếm", "the name, in a search"),
            Interface::Feed => self.of("những sự kiện mới ghi", "newly recorded events"),
            Interface::Evidence => self.of("bằng chứng của cả sổ", "evidence of the whole book"),
            Interface::Proof => self.of("bằng chứng của một sự kiện", "the proof of one event"),
            Interface::Accesses => self.of("danh sách người đã xem", "the list of who looked"),
            Interface::Consents => self.of("các quyết định chia sẻ", "the directives"),
            Interface::CommandLine => self.of("sổ, bằng dòng lệnh", "the book, by command line"),
        }
    }

    /// What a section is called.
    pub(crate) const fn section(self, section: Section) -> &'static str {
        match section {
            Section::Demographics => self.of("hành chính", "demographics"),
            Section::Problems => self.of("bệnh, vấn đề sức khỏe", "problems"),
            Section::Allergies => self.of("dị ứng", "allergies"),
            Section::Medications => self.of("thuốc", "medications"),
            Section::Vaccinations => self.of("tiêm chủng", "vaccinations"),
            Section::Observations => self.of("chỉ số, xét nghiệm", "observations"),
            Section::Encounters => self.of("lượt khám", "encounters"),
            Section::Procedures => self.of("thủ thuật", "procedures"),
            Section::Pregnancies => self.of("thai sản", "pregnancies"),
            Section::FamilyHistory => self.of("tiền sử gia đình", "family history"),
            Section::RiskFactors => self.of("yếu tố nguy cơ", "risk factors"),
            Section::Documents => self.of("giấy tờ đính kèm", "documents"),
            Section::Social => self.of("xã hội, chương trình, lịch hẹn", "social"),
        }
    }

    fn sections(self, sections: &[Section]) -> String {
        let names: Vec<_> = sections
            .iter()
            .map(|section| self.section(*section))
            .collect();
        names.join(", ")
    }
}

/// Says what an event of an access stream says.
pub(crate) fn in_words(event: &OpenedEvent, language: Language) -> String {
    let said = &event.stored.event;
    let facility = said.facility.as_deref();
    match &said.data {
        Data::RecordAccessed(look) => looked(look, facility, language),
        Data::AccessRefused(refused) => {
            let (who, what) = (
                who(&refused.viewer, facility, language),
                language.what(refused.through),
            );
            let purpose = purpose(&refused.viewer, language);
            match language {
                Language::Vietnamese => format!("{who} đã xin xem {what}{purpose} và bị từ chối."),
                Language::English => format!("{who} asked for {what}{purpose} and was refused."),
            }
        }
        Data::GlassBroken(broken) => glass(broken, facility, language),
        Data::AccessReviewed(reviewed) => review(reviewed, facility, language),
        other => other.kind().to_string(),
    }
}

fn who(viewer: &Viewer, facility: Option<&str>, language: Language) -> String {
    let role = language.role(&viewer.role);
    let account = language.of("tài khoản", "account");
    match facility {
        Some(facility) => format!("{role} {facility} ({account} {})", viewer.id),
        None => format!("{role} ({account} {})", viewer.id),
    }
}

fn purpose(viewer: &Viewer, language: Language) -> String {
    let said = viewer.purpose.map(|purpose| language.purpose(purpose));
    said.map(|said| format!(" {said}")).unwrap_or_default()
}

fn looked(look: &RecordAccessed, facility: Option<&str>, language: Language) -> String {
    let (who, what) = (
        who(&look.viewer, facility, language),
        language.what(look.through),
    );
    let purpose = purpose(&look.viewer, language);
    let sections = language.sections(&look.sections);
    let entries = look.entries;
    let mut text = match language {
        Language::Vietnamese => format!("{who} đã xem {what}{purpose}"),
        Language::English => format!("{who} looked at {what}{purpose}"),
    };
    // Writing into a text cannot fail.
    let _ = match (language, look.sections.is_empty()) {
        (Language::Vietnamese, false) => write!(text, ": {sections} ({entries} mục)."),
        (Language::English, false) => write!(text, ": {sections} ({entries} entries)."),
        _ => write!(text, "."),
    };
    if look.unchanged {
        text += language.of(
            " Nội dung không đổi so với lần xem trước.",
            " Nothing had changed since they looked before.",
        );
    }
    if !look.withheld.is_empty() {
        let withheld = language.sections(&look.withheld);
        let _ = match language {
            Language::Vietnamese => write!(text, " Không được xem, nếu có: {withheld}."),
            Language::English => write!(text, " Withheld, if there is any: {withheld}."),
        };
    }
    if !look.decided.directives.is_empty() {
        text += language.of(
            " Theo quyết định chia sẻ của chủ sổ.",
            " As directed by the owner.",
        );
    }
    text
}

fn glass(broken: &GlassBroken, facility: Option<&str>, language: Language) -> String {
    let who = who(&broken.viewer, facility, language);
    let (reason, until) = (&broken.reason, clock(&broken.until, language));
    match language {
        Language::Vietnamese => format!(
            "{who} đã mở khẩn cấp dị ứng, thuốc và hành chính, đến {until}. Lý do: “{reason}”. Việc này sẽ được rà soát."
        ),
        Language::English => format!(
            "{who} broke the glass to allergies, medications and demographics, until {until}. Reason: “{reason}”. This will be reviewed."
        ),
    }
}

/// A moment as clocks in Vietnam show it.
fn clock(moment: &Occurred, language: Language) -> String {
    const HOUR_US: i64 = 3_600_000_000;
    let at = Instant::from_micros(moment.latest_us());
    let of_day = (at.micros() + 7 * HOUR_US).rem_euclid(Instant::DAY_US);
    let (hour, minute) = (of_day / HOUR_US, of_day % HOUR_US / 60_000_000);
    let on = language.of("ngày", "on");
    format!("{hour:02}:{minute:02} {on} {}", at.local_day())
}

fn review(reviewed: &AccessReviewed, facility: Option<&str>, language: Language) -> String {
    let who = who(&reviewed.viewer, facility, language);
    let outcome = match reviewed.outcome {
        ReviewOutcome::Justified => language.of("có lý do chính đáng", "justified"),
        ReviewOutcome::NotJustified => language.of("không chính đáng", "not justified"),
    };
    match language {
        Language::Vietnamese => format!("{who} đã rà soát một lần xem: {outcome}."),
        Language::English => format!("{who} reviewed a look: {outcome}."),
    }
}
