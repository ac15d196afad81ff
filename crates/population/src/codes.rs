//! The codes that the city's doctors use, each with its system and Vietnamese name.
//!
//! ICD-10 codes are of the list of Decision 4469/QĐ-BYT; drugs are ATC codes; measurements LOINC.

use sokhoe_record::{Code, CodeSystem};

use crate::calendar::Day;

/// The systems that the city uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Icd10,
    Loinc,
    Atc,
    Vaccine,
}

/// A code as a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coded {
    pub(crate) system: System,
    pub(crate) code: &'static str,
    pub(crate) display: &'static str,
}

const fn icd10(code: &'static str, display: &'static str) -> Coded {
    Coded {
        system: System::Icd10,
        code,
        display,
    }
}

const fn loinc(code: &'static str, display: &'static str) -> Coded {
    Coded {
        system: System::Loinc,
        code,
        display,
    }
}

const fn atc(code: &'static str, display: &'static str) -> Coded {
    Coded {
        system: System::Atc,
        code,
        display,
    }
}

pub(crate) const HYPERTENSION: Coded = icd10("I10", "Bệnh lý tăng huyết áp");
pub(crate) const DIABETES: Coded = icd10("E11.9", "Đái tháo đường típ 2, chưa có biến chứng");
pub(crate) const DIABETES_KIDNEY: Coded = icd10("E11.2", "Đái tháo đường típ 2, biến chứng thận");
pub(crate) const COPD: Coded = icd10("J44.9", "Bệnh phổi tắc nghẽn mãn tính");
pub(crate) const ASTHMA: Coded = icd10("J45.9", "Hen, không phân loại");
pub(crate) const DYSLIPIDAEMIA: Coded = icd10("E78.5", "Tăng lipid máu, không đặc hiệu");
pub(crate) const GASTRITIS: Coded = icd10("K29.7", "Viêm dạ dày, không đặc hiệu");
pub(crate) const HEART_DISEASE: Coded = icd10("I25.9", "Bệnh tim thiếu máu cục bộ mạn");
pub(crate) const KIDNEY_DISEASE: Coded = icd10("N18.9", "Suy thận mạn, không đặc hiệu");
pub(crate) const ARTHROSIS: Coded = icd10("M17.9", "Thoái hóa khớp gối");
pub(crate) const HEPATITIS_B: Coded = icd10("B18.1", "Viêm gan virus B mạn");
pub(crate) const DEPRESSION: Coded = icd10("F32.9", "Giai đoạn trầm cảm không đặc hiệu");
pub(crate) const CANCER_BREAST: Coded = icd10("C50.9", "U ác của vú, không đặc hiệu");
pub(crate) const CANCER_LIVER: Coded = icd10("C22.0", "Ung thư biểu mô tế bào gan");
pub(crate) const CANCER_LUNG: Coded = icd10("C34.9", "U ác của phế quản hoặc phổi");
pub(crate) const TUBERCULOSIS: Coded = icd10("A15.0", "Lao phổi, xác nhận bằng soi đờm");
pub(crate) const HIV: Coded = icd10("B24", "Bệnh do HIV không xác định");
pub(crate) const APPENDICITIS: Coded = icd10("K35.9", "Viêm ruột thừa cấp");
pub(crate) const CATARACT: Coded = icd10("H25.9", "Đục thể thủy tinh người già");
pub(crate) const CHECK_UP: Coded = icd10("Z00.0", "Khám sức khỏe tổng quát");
pub(crate) const PREGNANCY_CARE: Coded = icd10("Z34.9", "Theo dõi thai bình thường");
pub(crate) const DELIVERY: Coded = icd10("O80", "Đẻ thường một thai");
pub(crate) const STROKE: Coded = icd10("I64", "Đột quỵ, không xác định do xuất huyết hay nhồi máu");
pub(crate) const INFARCTION: Coded = icd10("I21.9", "Nhồi máu cơ tim cấp");
pub(crate) const PNEUMONIA: Coded = icd10("J18.9", "Viêm phổi, không đặc hiệu");

/// A short illness: its code, who gets it (weight by age: child, adult, old) and one drug for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Short {
    pub(crate) diagnosis: Coded,
    pub(crate) weights: [u32; 3],
    pub(crate) drug: Option<Coded>,
    pub(crate) fever: bool,
    pub(crate) reason: &'static str,
}

/// The short illnesses that bring people to a health worker.
pub(crate) const SHORT: [Short; 16] = [
    short(
        icd10("J06.9", "Nhiễm trùng đường hô hấp trên cấp"),
        [30, 22, 14],
        Some(PARACETAMOL),
        true,
        "Sốt, ho",
    ),
    short(
        icd10("J02.9", "Viêm họng cấp"),
        [12, 12, 6],
        Some(AMOXICILLIN),
        true,
        "Đau họng",
    ),
    short(
        icd10("J20.9", "Viêm phế quản cấp"),
        [10, 7, 10],
        Some(AMOXICILLIN),
        true,
        "Ho có đờm",
    ),
    short(
        icd10("J03.9", "Viêm amydan cấp"),
        [8, 4, 1],
        Some(AMOXICILLIN),
        true,
        "Đau họng, nuốt đau",
    ),
    short(
        PNEUMONIA,
        [3, 2, 6],
        Some(AMOXICILLIN),
        true,
        "Sốt, khó thở",
    ),
    short(
        icd10("A09", "Viêm dạ dày - ruột do nhiễm trùng"),
        [10, 7, 5],
        Some(ORAL_SALTS),
        false,
        "Tiêu chảy",
    ),
    short(
        icd10("A90", "Sốt Dengue"),
        [5, 5, 2],
        Some(PARACETAMOL),
        true,
        "Sốt cao ba ngày",
    ),
    short(
        icd10("B08.4", "Bệnh tay chân miệng"),
        [7, 0, 0],
        Some(PARACETAMOL),
        true,
        "Nổi bóng nước tay chân",
    ),
    short(
        icd10("B01.9", "Thủy đậu không biến chứng"),
        [3, 1, 0],
        None,
        true,
        "Nổi bóng nước",
    ),
    short(
        icd10("M54.5", "Đau cột sống thắt lưng"),
        [0, 12, 16],
        Some(PARACETAMOL),
        false,
        "Đau lưng",
    ),
    short(
        icd10("R51", "Đau đầu"),
        [1, 8, 8],
        Some(PARACETAMOL),
        false,
        "Đau đầu",
    ),
    short(
        icd10("K02.9", "Sâu răng"),
        [8, 8, 4],
        None,
        false,
        "Đau răng",
    ),
    short(
        icd10("N39.0", "Nhiễm khuẩn hệ tiết niệu"),
        [1, 5, 6],
        Some(CIPROFLOXACIN),
        false,
        "Tiểu buốt",
    ),
    short(
        icd10("L20.9", "Viêm da cơ địa"),
        [6, 4, 3],
        Some(CETIRIZINE),
        false,
        "Ngứa",
    ),
    short(
        icd10("H10.9", "Viêm kết mạc"),
        [5, 3, 3],
        None,
        false,
        "Đỏ mắt",
    ),
    short(
        icd10("S52.5", "Gãy đầu dưới xương quay"),
        [2, 2, 4],
        Some(PARACETAMOL),
        false,
        "Té ngã chống tay",
    ),
];

const fn short(
    diagnosis: Coded,
    weights: [u32; 3],
    drug: Option<Coded>,
    fever: bool,
    reason: &'static str,
) -> Short {
    Short {
        diagnosis,
        weights,
        drug,
        fever,
        reason,
    }
}

pub(crate) const PARACETAMOL: Coded = atc("N02BE01", "Paracetamol 500 mg");
pub(crate) const AMOXICILLIN: Coded = atc("J01CA04", "Amoxicillin 500 mg");
pub(crate) const CIPROFLOXACIN: Coded = atc("J01MA02", "Ciprofloxacin 500 mg");
pub(crate) const CETIRIZINE: Coded = atc("R06AE07", "Cetirizine 10 mg");
pub(crate) const ORAL_SALTS: Coded = atc("A07CA", "Oresol");
pub(crate) const AMLODIPINE: Coded = atc("C08CA01", "Amlodipine 5 mg");
pub(crate) const LOSARTAN: Coded = atc("C09CA01", "Losartan 50 mg");
pub(crate) const METFORMIN: Coded = atc("A10BA02", "Metformin 850 mg");
pub(crate) const GLICLAZIDE: Coded = atc("A10BB09", "Gliclazide 30 mg MR");
pub(crate) const ATORVASTATIN: Coded = atc("C10AA05", "Atorvastatin 20 mg");
pub(crate) const ASPIRIN: Coded = atc("B01AC06", "Acetylsalicylic acid 81 mg");
pub(crate) const SALBUTAMOL: Coded = atc("R03AC02", "Salbutamol 100 mcg/liều");
pub(crate) const BUDESONIDE: Coded = atc("R03AK07", "Budesonide/formoterol 160/4,5 mcg");
pub(crate) const OMEPRAZOLE: Coded = atc("A02BC01", "Omeprazole 20 mg");
pub(crate) const TENOFOVIR: Coded = atc("J05AF07", "Tenofovir disoproxil 300 mg");
pub(crate) const SERTRALINE: Coded = atc("N06AB06", "Sertraline 50 mg");
pub(crate) const TB_DRUGS: Coded = atc("J04AM06", "Rifampicin/isoniazid/pyrazinamide/ethambutol");
pub(crate) const HIV_DRUGS: Coded = atc("J05AR27", "Lamivudine/tenofovir/dolutegravir");
pub(crate) const PENICILLIN: Coded = atc("J01C", "Kháng sinh nhóm penicillin");

pub(crate) const BLOOD_PRESSURE: Coded = loinc("85354-9", "Huyết áp");
pub(crate) const SYSTOLIC: Coded = loinc("8480-6", "Huyết áp tâm thu");
pub(crate) const DIASTOLIC: Coded = loinc("8462-4", "Huyết áp tâm trương");
pub(crate) const PULSE: Coded = loinc("8867-4", "Mạch");
pub(crate) const TEMPERATURE: Coded = loinc("8310-5", "Nhiệt độ cơ thể");
pub(crate) const HEIGHT: Coded = loinc("8302-2", "Chiều cao");
pub(crate) const WEIGHT: Coded = loinc("29463-7", "Cân nặng");
pub(crate) const BMI: Coded = loinc("39156-5", "Chỉ số khối cơ thể (BMI)");
pub(crate) const HBA1C: Coded = loinc("4548-4", "HbA1c");
pub(crate) const FASTING_GLUCOSE: Coded = loinc("14771-0", "Đường huyết lúc đói");
pub(crate) const CHOLESTEROL: Coded = loinc("14647-2", "Cholesterol toàn phần");
pub(crate) const CREATININE: Coded = loinc("14682-9", "Creatinine huyết thanh");
pub(crate) const PEAK_FLOW: Coded = loinc("33452-4", "Lưu lượng đỉnh");

/// The day that the ICD-10 list of Circular 06/2026/TT-BYT took the place of Decision 4469's.
const NEW_ICD10: Day = Day::of(2026, 7, 1);

impl Coded {
    /// The code as written on that day: ICD-10 names the version of its list.
    pub(crate) fn on(self, day: Day) -> Code {
        let icd10 = self.system == System::Icd10;
        let version = if day < NEW_ICD10 {
            "qd4469"
        } else {
            "tt06-2026"
        };
        Code {
            version: icd10.then(|| version.to_owned()),
            ..self.plain()
        }
    }

    /// The code without a version, for lists that have none.
    pub(crate) fn plain(self) -> Code {
        let system = match self.system {
            System::Icd10 => CodeSystem::Icd10,
            System::Loinc => CodeSystem::Loinc,
            System::Atc => CodeSystem::Atc,
            System::Vaccine => CodeSystem::VaccineVn,
        };
        Code::new(system, self.code).with_display(self.display)
    }
}
