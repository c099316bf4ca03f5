-- Where practitioners are and whose patients they take, to be found by it.
ALTER TABLE practitioners
    ADD COLUMN lat double precision CHECK (lat BETWEEN -90 AND 90),
    ADD COLUMN lon double precision CHECK (lon BETWEEN -180 AND 180),
    ADD COLUMN insurers text[] NOT NULL DEFAULT '{}',
    ADD CHECK ((lat IS NULL) = (lon IS NULL));
CREATE INDEX practitioners_place ON practitioners USING gist (ll_to_earth(lat, lon)) WHERE published AND lat IS NOT NULL;
CREATE INDEX practitioners_insurers ON practitioners USING gin (insurers) WHERE published;
CREATE INDEX practitioners_licence ON practitioners (licence_expires_on) WHERE published;
CREATE INDEX people_by_name ON people (name, id);

DROP VIEW practitioner_profiles;
CREATE VIEW practitioner_profiles AS
    SELECT p.*, d.title, d.specialties, d.languages, d.licence_number, d.licence_expires_on, d.licence_verified_at,
           d.fee_minor, d.currency, d.location, d.about, d.published, d.lat, d.lon, d.insurers
    FROM practitioners d JOIN profiles p ON p.id = d.person_id;
