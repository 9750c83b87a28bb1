"""The house rules that no linter checks: budgets, imports, empty packages, pinned requirements.

Each test looks at all files and names those that break its rule.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_NESTING = 3

FOLDERS = ("service", "models", "loadtest", "tests")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MODULES = [path for path in SOURCES if path.name != "__init__.py"]
PRODUCT = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "tests"]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)
UNSAFE = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def breaking(
    paths: Iterable[Path], look: Callable[[Path], Iterable[object]]
) -> dict[str, list[object]]:
    """What `look` finds wrong, by file."""
    found = {str(path.relative_to(ROOT)): list(look(path)) for path in paths}
    return {name: wrong for name, wrong in found.items() if wrong}


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines of a function from its signature to its end, without the docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return total
    docstring = function.body[0]
    return total - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Depth of blocks within blocks; an `elif` is no deeper than its `if`."""
    deepest = depth
    for field, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in (c for c in children if isinstance(c, ast.AST)):
            is_elif = isinstance(node, ast.If) and field == "orelse" and isinstance(child, ast.If)
            deeper = depth + (isinstance(child, BLOCKS) and not is_elif)
            deepest = max(deepest, nesting(child, deeper))
    return deepest


def imported(path: Path) -> Iterator[str]:
    """Every name a module imports, with its origin: `a.b` for `from a import b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[tuple[ast.Call, dict[str | None, object]]]:
    """Every call with its constant keyword arguments."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node, {k.arg: getattr(k.value, "value", None) for k in node.keywords}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_a_module_opens_with_a_docstring() -> None:
    assert not [str(path) for path in PRODUCT if not ast.get_docstring(tree(path))]


def test_a_file_keeps_to_its_budget_of_lines() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {path: length for path, length in lengths.items() if length > MAX_FILE_LINES}


def test_a_function_keeps_to_its_budget_of_lines() -> None:
    def long(path: Path) -> Iterator[str]:
        return (f.name for f in functions(path) if body_lines(f) > MAX_FUNCTION_LINES)

    assert not breaking(MODULES, long)


def test_blocks_are_not_nested_deeper_than_three() -> None:
    def deep(path: Path) -> Iterator[str]:
        return (f.name for f in functions(path) if nesting(f) > MAX_NESTING)

    assert not breaking(PRODUCT, deep)


def test_imports_stand_at_the_top_of_a_file() -> None:
    def inside(path: Path) -> Iterator[str]:
        for function in functions(path):
            nodes = ast.walk(function)
            if any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes):
                yield function.name

    assert not breaking(MODULES, inside)


def test_imports_are_absolute() -> None:
    def relative(path: Path) -> Iterator[int]:
        nodes = ast.walk(tree(path))
        return (n.lineno for n in nodes if isinstance(n, ast.ImportFrom) and n.level)

    assert not breaking(MODULES, relative)


def test_init_files_are_empty() -> None:
    assert not [str(p) for p in SOURCES if p.name == "__init__.py" and p.read_text().strip()]


def test_nothing_is_unpickled() -> None:
    """A pickle runs whatever it says. Only its exception may be named, for torch raises it."""

    def used(path: Path) -> Iterator[str]:
        for node in ast.walk(tree(path)):
            is_attribute = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if is_attribute and (origin := ast.unparse(node)).split(".")[0] in UNSAFE:
                yield origin
        yield from (o for o in imported(path) if o.split(".")[0] in UNSAFE and "." in o)

    found = breaking(PRODUCT, used)
    assert {origin for origins in found.values() for origin in origins} <= {
        "pickle.UnpicklingError"
    }


def test_loaders_are_told_not_to_unpickle() -> None:
    def told(path: Path) -> Iterator[int]:
        for call, options in calls(path):
            is_torch_load = ast.unparse(call.func) == "torch.load"
            if options.get("allow_pickle", False) is not False:
                yield call.lineno
            if is_torch_load and options.get("weights_only") is not True:
                yield call.lineno

    assert not breaking(PRODUCT, told)


def test_middleware_is_pure_asgi() -> None:
    """BaseHTTPMiddleware loses context and cancellation, and costs more than the route itself.

    The naive reference service has one, because tutorials do.
    """

    def framework_middleware(path: Path) -> Iterator[str]:
        yield from (origin for origin in imported(path) if origin.endswith("BaseHTTPMiddleware"))
        for function in functions(path):
            for decorator in function.decorator_list:
                if re.search(r"\.middleware\(", ast.unparse(decorator)):
                    yield function.name

    assert not breaking([p for p in PRODUCT if p.name != "naive.py"], framework_middleware)


def test_requirements_name_no_address() -> None:
    address = re.compile(
        r"://|^\s*(-i|-f|--index|--extra-index|--find-links|--trusted-host)", re.MULTILINE
    )
    assert not [path.name for path in REQUIREMENTS if address.search(path.read_text())]


def test_every_requirement_is_pinned_with_a_hash() -> None:
    def loose(path: Path) -> Iterator[str]:
        for line in path.read_text().replace("\\\n", " ").splitlines():
            is_requirement = line.strip() and not line.startswith("#")
            if is_requirement and not ("==" in line and "--hash=sha256:" in line):
                yield line[:60]

    assert not breaking([path for path in REQUIREMENTS if path.stem != "torch"], loose)


def test_the_requirement_files_agree_on_every_version() -> None:
    versions: dict[str, set[str]] = {}
    for path in REQUIREMENTS:
        for package, version in pins(path).items():
            versions.setdefault(package, set()).add(version)
    assert not {package: found for package, found in versions.items() if len(found) > 1}


def test_serving_is_installed_without_training_packages() -> None:
    serving = set(pins(ROOT / "requirements/serve.txt"))
    assert not {"torch", "scipy", "matplotlib", "onnx", "locust"} & serving


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=;\[ ]", line, maxsplit=1)[0] for line in project["dependencies"]}
    assert wanted <= set(pins(ROOT / "requirements/serve.txt"))
