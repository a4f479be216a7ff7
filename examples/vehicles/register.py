"""The register itself: one SQLite file, filled with the same invented vehicles whenever it is made."""

import datetime
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

ROWS = 300
"""How many vehicles the register holds."""

IN_FORCE, STOLEN, WITHDRAWN = "vigente", "robado", "baja"
STATES = (IN_FORCE, STOLEN, WITHDRAWN)
"""What the register may say of a vehicle: plates in force, reported stolen, withdrawn from circulation."""

_MODELS = {
    "Nissan": ("Versa", "March", "Sentra", "Tsuru", "NP300", "Kicks"),
    "Chevrolet": ("Aveo", "Onix", "Spark", "Beat", "Tornado", "Trax"),
    "Volkswagen": ("Jetta", "Vento", "Gol", "Saveiro", "Tiguan"),
    "Toyota": ("Hilux", "Corolla", "Yaris", "Avanza", "RAV4"),
    "Kia": ("Rio", "Forte", "Sportage", "Soul"),
    "Honda": ("City", "Civic", "CR-V", "HR-V"),
    "Ford": ("Ranger", "Figo", "F-150", "Ecosport"),
    "Mazda": ("2", "3", "CX-5"),
    "Hyundai": ("Grand i10", "Accent", "Creta"),
    "Renault": ("Kwid", "Duster", "Logan"),
}
_COLOURS = ("blanco", "gris", "negro", "plata", "rojo", "azul", "arena", "vino", "verde")
_MUNICIPALITIES = ("Benito Juárez", "Solidaridad", "Othón P. Blanco", "Cozumel", "Tulum", "Puerto Morelos")
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_LAST_REPORT = datetime.date(2025, 6, 30)

_TABLE = """
CREATE TABLE vehicle (
    placa TEXT PRIMARY KEY, marca TEXT NOT NULL, linea TEXT NOT NULL, anio INTEGER NOT NULL, color TEXT NOT NULL,
    municipio TEXT NOT NULL, estado TEXT NOT NULL, fecha_reporte TEXT
) WITHOUT ROWID;
CREATE INDEX vehicle_by_estado ON vehicle (estado);
"""

Vehicle = dict[str, Any]


def _vehicles() -> Iterator[tuple[str | int | None, ...]]:
    """Yield ROWS vehicles, always the same ones; the first two are those that the documentation asks for."""
    yield "UTR-123-A", "Nissan", "Versa", 2019, "gris", "Benito Juárez", STOLEN, "2025-03-14"
    yield "URM-481-C", "Volkswagen", "Jetta", 2016, "blanco", "Solidaridad", IN_FORCE, None
    chance = random.Random("vehicles of Quintana Roo")  # noqa: S311 - invented data, the same each time
    plates = {"UTR-123-A", "URM-481-C"}
    while len(plates) < ROWS:
        # URA to UVZ are the series of Quintana Roo.
        plate = (
            f"U{chance.choice('RSTUV')}{chance.choice(_LETTERS)}-{chance.randrange(1000):03}-{chance.choice(_LETTERS)}"
        )
        if plate in plates:
            continue
        plates.add(plate)
        make = chance.choice(list(_MODELS))
        state = chance.choices(STATES, weights=(88, 7, 5))[0]
        reported = str(_LAST_REPORT - datetime.timedelta(days=chance.randrange(900))) if state == STOLEN else None
        yield (
            plate,
            make,
            chance.choice(_MODELS[make]),
            chance.randrange(2006, 2026),
            chance.choice(_COLOURS),
            chance.choice(_MUNICIPALITIES),
            state,
            reported,
        )


def create(path: Path) -> None:
    """Make the register's file anew at ``path``; a file that is already there is replaced in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new)) as connection, connection:
        connection.executescript(_TABLE)
        connection.executemany("INSERT INTO vehicle VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _vehicles())
    new.replace(path)


class Register:
    """Reads one register file; safe to use from several threads, since each question opens the file by itself."""

    def __init__(self, path: Path) -> None:
        """Read from ``path``, which :func:`create` made."""
        self._address = f"{path.resolve().as_uri()}?mode=ro"

    def _rows(self, question: str, *values: str) -> list[Vehicle]:
        with closing(sqlite3.connect(self._address, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(question, values)]

    def find(self, plate: str) -> Vehicle | None:
        """Return the vehicle with this plate, upper or lower case, or None."""
        found = self._rows("SELECT * FROM vehicle WHERE placa = ?", plate.upper())
        return found[0] if found else None

    def in_state(self, state: str | None) -> list[Vehicle]:
        """Return the vehicles in one of the STATES, or all of them for None, ordered by plate."""
        if state is None:
            return self._rows("SELECT * FROM vehicle ORDER BY placa")
        return self._rows("SELECT * FROM vehicle WHERE estado = ? ORDER BY placa", state)
