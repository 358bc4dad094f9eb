"""The demo's three jobs."""

from dataclasses import dataclass

from ngramspec.pico import edit_prompt, extract_prompt, rewrite_prompt


@dataclass(frozen=True, slots=True)
class Job:
    """One job: its name, the task in words, the prompt, and the one right answer."""

    name: str
    task: str
    prompt: str
    answer: str


def demo_jobs() -> list[Job]:
    """Rename, extract, correct."""
    function = """def commonprefix(m):
    "Given a list of pathnames, returns the longest common leading component"
    if not m: return ''
    # Some people pass in a list of pathname parts to operate in an OS-agnostic
    # fashion; don't try to translate in that case as that's an abuse of the
    # API and they are already doing what they need to be OS-agnostic and so
    # they most likely won't be using an os.PathLike object in the sublists.
    if not isinstance(m[0], (list, tuple)):
        m = tuple(map(os.fspath, m))
    s1 = min(m)
    s2 = max(m)
    for i, c in enumerate(s1):
        if c != s2[i]:
            return s1[:i]
    return s1"""
    text = "Invoice 4711 of Almado GmbH, Bremen, dated 2026-03-14: 250.00 EUR, due on 2026-04-14. Contact: Hanna Voss."
    return [
        Job(
            "rename",
            "s1 to lowest, in genericpath.commonprefix",
            edit_prompt("s1", "lowest", function),
            function.replace("s1", "lowest"),
        ),
        Job(
            "extract",
            "invoice, company and total as JSON, from: " + text,
            extract_prompt(text, ["invoice", "company", "total"]),
            '{"invoice":"4711","company":"Almado GmbH","total":"250.00 EUR"}',
        ),
        Job(
            "correct",
            "Bremen to Hamburg, in: " + text,
            rewrite_prompt("Bremen", "Hamburg", text),
            text.replace("Bremen", "Hamburg"),
        ),
    ]
