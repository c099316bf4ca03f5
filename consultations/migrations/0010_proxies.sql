-- Whoever sat in the patient's seat for them; none when it was the patient.
ALTER TABLE stays ADD COLUMN acted_by uuid;
