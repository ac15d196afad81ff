// What the page says, in Vietnamese and English. Words of the vocabulary have no English entry where the word itself
// reads well.

const vi = {
  enter: "Đăng nhập", token: "Mã truy cập (token)", leave: "Thoát", find: "Tìm người", purpose: "Mục đích xem",
  sharing: "Chia sẻ sổ của tôi", who_looked: "Ai đã xem sổ của tôi", silence: "Chưa có quyết định nào: cơ sở khác không được xem.",
  anyone_treating: "mọi người đang điều trị", everything: "toàn bộ", over: "hết hiệu lực", withdraw: "Rút lại", effect: "Quyết định",
  facility_code: "Mã cơ sở", part: "Phần", grant: "Ghi vào sổ", glass_reason: "Lý do mở khẩn cấp (người dân sẽ đọc được)",
  purpose_ETREAT: "Cấp cứu (mở khẩn cấp)", purpose_TREAT: "Khám, điều trị", purpose_PATRQT: "Theo yêu cầu của người bệnh",
  purpose_PUBHLTH: "Y tế công cộng", purpose_HOPERAT: "Vận hành cơ sở",
  system: "Tìm theo", value: "Số hoặc tên", as_of: "Xem sổ tại thời điểm", show: "Xem", now: "Hiện tại",
  by_name: "Họ và tên", by_cccd: "Số căn cước (CCCD)", by_bhyt: "Thẻ bảo hiểm y tế", by_bhxh: "Mã số BHXH",
  by_cmnd: "Chứng minh nhân dân", by_passport: "Hộ chiếu", by_temporary: "Mã tạm thời", by_id: "Mã sổ (id)",
  history: "Lịch sử ghi sổ", more: "Xem thêm", all: "Xem tất cả", docs: "Tài liệu kỹ thuật", language: "English",
  checkpoint: "Chữ ký của cả sổ cái", true_at: "Đúng đến vị trí", version: "phiên bản", as_it_was: "Sổ như tại",
  nobody: "Không tìm thấy, hoặc không được phép xem.", loading: "Đang tải…", failed: "Không liên lạc được máy chủ.",
  expired: "Phiên đã hết. Hãy đăng nhập lại.", forbidden: "Vai trò này không được xem sổ sức khỏe.",
  none: "Chưa có ghi nhận", record: "Sổ sức khỏe", born: "sinh", age: "tuổi", died: "Đã mất",
  withheld: "Phần không được xem, nếu có", elsewhere: "Phần cơ sở khác ghi, nếu có, không hiển thị ở đây.", more_elsewhere: "có thể còn ở cơ sở khác",
  choose: "Có nhiều người phù hợp. Hãy chọn:", course: "Diễn biến", series: "lần đo", measured: "Chỉ số", result: "Kết quả",
  time: "Ngày", kind: "Sự kiện", type: "Loại", place: "Cơ sở", content: "Nội dung", details: "Chi tiết", by: "Người ghi",
  event: "Mã sự kiện", hash: "Mã băm", previous_hash: "Mã băm trước", position: "Vị trí", recorded_at: "Ghi vào sổ lúc",
  recorded_by: "Tài khoản gửi", corrected: "Đã được sửa", corrects: "Sửa cho", voided: "Đã hủy", disputed: "Có ý kiến khác",
  self_reported: "Tự khai", unchecked: "mã chưa đối chiếu", since: "Từ", last: "Gần nhất", times: "Số lần", dose: "Liều dùng",
  days: "Số ngày", drug: "Thuốc", vaccine: "Vắc xin", dose_number: "Mũi", lot: "Số lô", reason: "Lý do", problem: "Bệnh, vấn đề",
  status: "Tình trạng", procedure: "Thủ thuật", substance: "Tác nhân", reaction: "Phản ứng", relative: "Người thân",
  no_known_allergy: "Không có dị ứng đã biết", allergy_not_asked: "Chưa hỏi về dị ứng", current: "đang có", past: "đã qua",
  demographics: "Hành chính", problems: "Bệnh, vấn đề sức khỏe", allergies: "Dị ứng", medications: "Thuốc",
  vaccinations: "Tiêm chủng", observations: "Chỉ số, xét nghiệm", encounters: "Lượt khám", procedures: "Thủ thuật",
  pregnancies: "Thai sản", family_history: "Tiền sử gia đình", risk_factors: "Yếu tố nguy cơ", documents: "Giấy tờ đính kèm",
  social: "Chương trình quản lý, lịch hẹn",
};

const en = {
  enter: "Sign in", token: "Access token", leave: "Sign out", find: "Find a person", purpose: "Purpose",
  sharing: "Sharing my book", who_looked: "Who looked at my book", silence: "Nothing stated: other facilities do not see it.",
  anyone_treating: "anyone who treats", everything: "everything", over: "over", withdraw: "Withdraw", effect: "Decision",
  facility_code: "Facility code", part: "Part", grant: "Write down", glass_reason: "Reason for breaking the glass (the person will read it)",
  purpose_ETREAT: "Emergency (break the glass)", purpose_TREAT: "Treatment", purpose_PATRQT: "At the person's request",
  purpose_PUBHLTH: "Public health", purpose_HOPERAT: "Operations",
  system: "Find by", value: "Number or name", as_of: "The book as it was at", show: "Show", now: "Now",
  by_name: "Name", by_cccd: "Personal number (CCCD)", by_bhyt: "Health insurance card", by_bhxh: "Social insurance number",
  by_cmnd: "Former identity card", by_passport: "Passport", by_temporary: "Temporary number", by_id: "Book id",
  history: "History", more: "More", all: "Show all", docs: "Technical documentation", language: "Tiếng Việt",
  checkpoint: "Signature of the whole log", true_at: "True at position", version: "version", as_it_was: "The book as it was at",
  nobody: "Not found, or not yours to see.", loading: "Loading…", failed: "The server does not answer.",
  expired: "The session is over. Please sign in again.", forbidden: "This role does not read health books.",
  none: "Nothing recorded", record: "Health book", born: "born", age: "years", died: "Died",
  withheld: "Withheld, if there is any", elsewhere: "What other facilities recorded, if anything, is not shown here.", more_elsewhere: "there may be more elsewhere",
  choose: "Several people fit. Please choose:", course: "Course", series: "measurements", measured: "Measured", result: "Result",
  time: "Date", kind: "Event", type: "Type", place: "Facility", content: "Content", details: "Details", by: "Author",
  event: "Event id", hash: "Hash", previous_hash: "Previous hash", position: "Position", recorded_at: "Recorded at",
  recorded_by: "Sent by", corrected: "Corrected", corrects: "Corrects", voided: "Voided", disputed: "Disputed",
  self_reported: "Self-reported", unchecked: "code not checked", since: "Since", last: "Last", times: "Times", dose: "Dose",
  days: "Days", drug: "Medicine", vaccine: "Vaccine", dose_number: "Dose", lot: "Lot", reason: "Reason", problem: "Problem",
  status: "Status", procedure: "Procedure", substance: "Substance", reaction: "Reaction", relative: "Relative",
  no_known_allergy: "No known allergy", allergy_not_asked: "Not asked about allergies", current: "current", past: "past",
  demographics: "Demographics", problems: "Problems", allergies: "Allergies", medications: "Medications",
  vaccinations: "Vaccinations", observations: "Observations", encounters: "Encounters", procedures: "Procedures",
  pregnancies: "Pregnancies", family_history: "Family history", risk_factors: "Risk factors", documents: "Documents",
  social: "Programmes and appointments",
};

export const TEXTS = { vi, en };

// Names of fields.
export const FIELDS = {
  name: "Họ và tên", sex: "Giới tính", birth_date: "Ngày sinh", ethnic_group: "Dân tộc", nationality: "Quốc tịch", religion: "Tôn giáo",
  occupation: "Nghề nghiệp", current_address: "Nơi ở hiện tại", permanent_address: "Hộ khẩu thường trú", household: "Hộ gia đình",
  insurance: "Bảo hiểm y tế", phones: "Điện thoại", email: "Thư điện tử", identifiers: "Giấy tờ, mã số", blood_group: "Nhóm máu",
  mother: "Mẹ", father: "Cha", carer: "Người chăm sóc", guardian: "Người giám hộ", died_on: "Ngày mất", cause: "Nguyên nhân",
  tobacco: "Thuốc lá", water_pipe: "Thuốc lào", alcohol: "Rượu bia", drugs: "Ma túy", physical_activity: "Vận động thể lực", salt: "Ăn mặn",
  exposures: "Phơi nhiễm", toilet: "Nhà vệ sinh", assessments: "Đánh giá nguy cơ", instrument: "Thang đo", score: "Điểm", band: "Mức",
  programme: "Chương trình", programmes: "Chương trình", programme_facility: "Nơi quản lý", enrolled_on: "Vào từ", left_on: "Ra ngày",
  appointments: "Lịch hẹn", appointment_facility: "Nơi hẹn", due_on: "Hẹn ngày", missed: "Bỏ hẹn", contacts: "Lần liên hệ", channel: "Cách liên hệ",
  result: "Kết quả", disputes: "Ý kiến khác", statement: "Nội dung", guardians: "Người giám hộ", requests: "Yêu cầu", family: "Gia đình",
  self_reports: "Tự khai", note: "Ghi chú", symptoms: "Triệu chứng", code: "Mã", display: "Tên", value: "Giá trị", status: "Tình trạng",
  clinical_status: "Tình trạng", certainty: "Mức chắc chắn", onset: "Khởi phát", resolved_on: "Khỏi ngày", severity: "Mức độ", role: "Vai trò",
  encounter_id: "Mã lượt khám", class: "Loại", department: "Khoa", started_at: "Bắt đầu", ended_at: "Kết thúc", reason: "Lý do",
  diagnoses: "Chẩn đoán", observations: "Chỉ số, xét nghiệm", medications: "Thuốc", procedures: "Thủ thuật", disposition: "Hướng xử trí", outcome: "Kết quả",
  next_appointment: "Hẹn khám lại", dose: "Liều dùng", route: "Đường dùng", days: "Số ngày", started_on: "Từ ngày", stopped_on: "Đến ngày",
  vaccine: "Vắc xin", dose_number: "Mũi", lot: "Số lô", manufacturer: "Hãng", site: "Vị trí tiêm", next_due: "Mũi sau", primary_source: "Nơi tiêm ghi",
  substance: "Tác nhân", reaction: "Phản ứng", criticality: "Nguy hiểm", none_known: "Không có dị ứng đã biết", relative: "Người thân", condition: "Bệnh",
  relation: "Quan hệ", title: "Tiêu đề", content: "Nội dung", text: "Nội dung", components: "Thành phần", interpretation: "Nhận định", method: "Cách đo",
  specimen: "Mẫu", body_site: "Vị trí", performed_on: "Ngày làm", gravida: "Số lần có thai", para: "Số lần sinh", gestation_weeks: "Tuần thai", weeks: "Tuần thai",
  delivery: "Sinh", visits: "Lần khám thai", weight: "Cân nặng", length: "Chiều dài", corrects: "Sửa cho", action: "Cách sửa", replacement: "Nội dung đúng",
  on_behalf_by: "Khai thay bởi", appointment_id: "Mã lịch hẹn", purpose: "Mục đích", scope: "Phạm vi", effect: "Quyết định", valid_from: "Từ ngày", valid_to: "Đến ngày",
  card: "Số thẻ", facility: "Cơ sở", answer: "Trả lời", since: "Từ", amount: "Lượng", per_day: "Mỗi ngày", minutes_per_week: "Phút mỗi tuần", inputs: "Dựa trên",
  system: "Loại", full: "Họ và tên", given: "Tên", hamlet: "Thôn, tổ", commune: "Mã xã", person: "Người", identifier: "Mã số", author: "Người ghi", labels: "Nhãn",
  kept_whole: "Giữ nguyên bản", media_type: "Loại tệp", about: "Về", evidence: "Căn cứ", place: "Nơi", age: "Tuổi", bmi: "BMI", age_at_onset: "Tuổi mắc",
  reference_range: "Khoảng tham chiếu", low: "Thấp", high: "Cao", source: "Nguồn", record: "Mã nguồn", disputed_event_id: "Về sự kiện", condition_event_id: "Về sự kiện",
};

// Words of the vocabulary.
export const WORDS = {
  yes: "Có", no: "Không", unknown: "Không rõ", not_asked: "Chưa hỏi", male: "Nam", female: "Nữ", other: "Khác", active: "Đang mắc", remission: "Thuyên giảm",
  resolved: "Đã khỏi", recurrence: "Tái phát", confirmed: "Xác định", provisional: "Nghi ngờ", refuted: "Loại trừ", main: "Bệnh chính", secondary: "Bệnh kèm",
  complication: "Biến chứng", admission: "Khi vào viện", prescribed: "Đã kê đơn", dispensed: "Đã cấp phát", administered: "Đã dùng", stated: "Đang dùng (tự khai)",
  stopped: "Đã ngừng", given: "Đã tiêm", refused: "Từ chối", contraindicated: "Chống chỉ định", outpatient: "Ngoại trú", inpatient: "Nội trú", emergency: "Cấp cứu",
  home: "Tại nhà", tele: "Từ xa", health_check: "Khám sức khỏe", elderly_check: "Khám người cao tuổi", school_check: "Khám học đường",
  occupational_check: "Khám nghề nghiệp", hypertension: "Tăng huyết áp", diabetes: "Đái tháo đường", asthma: "Hen phế quản", copd: "COPD", cancer: "Ung thư",
  mental_health: "Sức khỏe tâm thần", tuberculosis: "Lao", hiv: "HIV", mother_child: "Bà mẹ trẻ em", elderly: "Người cao tuổi", food: "Thức ăn", drug: "Thuốc",
  chemical: "Hóa chất", environment: "Môi trường", head: "Chủ hộ", spouse: "Vợ/chồng", child: "Con", parent: "Cha/mẹ", mother: "Mẹ", father: "Cha",
  sibling: "Anh chị em", phone: "Điện thoại", sms: "Tin nhắn", visit: "Đến nhà", reached: "Đã gặp", not_reached: "Không gặp", void: "Hủy", replace: "Thay bằng",
  low: "Thấp", slightly_elevated: "Tăng nhẹ", moderate: "Vừa", high: "Cao", very_high: "Rất cao", doctor: "bác sĩ", nurse: "điều dưỡng", clerk: "nhân viên",
  midwife: "hộ sinh", pharmacist: "dược sĩ", technician: "kỹ thuật viên", citizen: "Người dân", guardian: "Người giám hộ", clinician: "Người khám bệnh",
  hospital: "Bệnh viện", station: "Trạm y tế", admin: "Quản trị", operator: "Vận hành", auditor: "Kiểm tra", epidemiologist: "Dịch tễ", researcher: "Nghiên cứu",
  department: "Sở y tế", dashboard: "Bảng số liệu", positive: "Dương tính", negative: "Âm tính", findrisc: "FINDRISC", cccd: "Căn cước (CCCD)", bhyt: "Thẻ BHYT",
  bhxh: "Mã số BHXH", cmnd: "CMND", passport: "Hộ chiếu", birth_certificate: "Giấy khai sinh", temporary: "Mã tạm thời", mrn: "Mã bệnh án", ongoing: "Đang mang thai",
  permit: "Cho phép", deny: "Không cho phép", replaced: "Đã thay", ended: "Đã kết thúc", granted: "Đồng ý", extended: "Gia hạn", done: "Xong", cancelled: "Hủy",
};

// Kinds of event.
export const KINDS = {
  person_registered: "Đăng ký sổ", demographics_changed: "Đổi thông tin hành chính", identifier_linked: "Thêm giấy tờ, mã số", people_merged: "Gộp sổ",
  people_unmerged: "Tách sổ", person_died: "Qua đời", family_linked: "Liên kết gia đình", encounter_recorded: "Lượt khám", observation_recorded: "Chỉ số, xét nghiệm",
  condition_recorded: "Bệnh, vấn đề", condition_resolved: "Khỏi bệnh", allergy_recorded: "Dị ứng", medication_recorded: "Thuốc", procedure_recorded: "Thủ thuật",
  vaccination_recorded: "Tiêm chủng", pregnancy_recorded: "Thai sản", birth_recorded: "Sinh", document_attached: "Giấy tờ", self_report_submitted: "Tự khai",
  risk_factors_reported: "Yếu tố nguy cơ", family_history_reported: "Tiền sử gia đình", dispute_raised: "Ý kiến khác", programme_enrolled: "Vào chương trình",
  programme_left: "Ra chương trình", appointment_made: "Hẹn khám", appointment_missed: "Bỏ hẹn", contact_attempted: "Liên hệ", risk_assessed: "Đánh giá nguy cơ",
  correction_made: "Sửa chữa", consent_granted: "Cho phép xem", consent_withdrawn: "Rút cho phép", secondary_use_refused: "Từ chối dùng số liệu",
  secondary_use_allowed: "Đồng ý dùng số liệu", guardian_appointed: "Cử người giám hộ", guardian_ended: "Hết giám hộ", resource_kept: "Giữ nguyên bản",
  request_made: "Gửi yêu cầu", request_decided: "Trả lời yêu cầu",
};

// Why something is withheld, as the server says it.
export const BECAUSE = {
  "entries of another facility, which no directive of the person opens to this one": "mục do cơ sở khác ghi, chủ sổ chưa cho cơ sở này xem",
  "entries of another facility, which a directive of the person refuses": "mục do cơ sở khác ghi, chủ sổ không cho xem",
  "entries under a label, if there are any, which need a directive that names the label": "mục nhạy cảm, nếu có, cần chủ sổ cho phép đích danh",
  "entries that breaking the glass does not open": "mục mà mở khẩn cấp không mở",
};
