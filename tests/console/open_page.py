"""The console in a tab of the browser, with what went wrong there."""

from playwright.sync_api import ConsoleMessage, Page, Request


class OpenPage:
    """A page that opens views of the console and collects its problems."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.problems: list[str] = []
        page.on("console", self._collect_message)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._check_request)

    def go(self, view: str) -> Page:
        """Open a view, from the start or inside the page, and wait until it has what it reads."""
        address = f"{self.url}/#/{view}"
        if self.page.url.startswith(self.url):
            self.page.evaluate("address => { location.href = address }", address)
            self.page.wait_for_function("address => location.href === address", arg=address)
        else:
            self.page.goto(address)
        self.page.wait_for_selector("#connection[data-state=ok]")
        self.page.wait_for_function("() => !document.querySelector('main .loading, main [aria-busy]')")
        return self.page

    def forget_problems(self, word: str) -> None:
        """Forget the problems that have a word and that the test causes itself; there must be some."""
        assert any(word in problem for problem in self.problems), self.problems
        self.problems = [problem for problem in self.problems if word not in problem]

    def close(self) -> None:
        self.page.context.close()

    def _collect_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def _check_request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.problems.append(f"request to {request.url}")
