"""What people, programs and attackers write where the name of a release is expected."""

CLIMBS = (
    "..",
    "../x",
    "../../etc/passwd",
    "x/../../y",
    "./x",
    "~",
    "~root",
    "x/y",
    "/etc/passwd",
    "//x",
)
ODD = (
    "",
    " ",
    ".",
    "-",
    ".x",
    "-x",
    "_x",
    "x_y",
    "X",
    "Ü",
    "x ",
    " x",
    "x\n",
    "x\0",
    "x\0y",
    "a..b",
    "CON",
)
LONG = ("x" * 65, "x" * 5000, "../" * 1000, "\0" * 100)
URLS = (
    "http://x/y",
    "https://x",
    "file:///etc/passwd",
    "s3://b/k",
    "gs://b/k",
    "memory://x",
    "x:load",
)
MARKS = "!\"#$%&'()*+,;<=>?@[\\]^_`{|}~\x01\x07\x1b\x7f\u200b\u202e\ufeff"
BAD_NAMES = (
    *CLIMBS,
    *ODD,
    *LONG,
    *URLS,
    *(f"20231114-00000{mark}" for mark in MARKS),
    *(f"{mark}20231114" for mark in MARKS),
    *(f"2023{mark}1114" for mark in MARKS),
    *(f"../{'../' * n}etc/shadow" for n in range(1, 40)),
    *(f"{'.' * n}" for n in range(3, 20)),
    *(name.replace("/", "\\") for name in CLIMBS if "/" in name),
)


def quoted(name: str) -> str:
    """Every byte escaped, so that nothing between here and the route tidies it up."""
    return "".join(f"%{byte:02x}" for byte in name.encode())
