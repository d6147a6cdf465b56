"""The console in a tab of the browser, with what went wrong there."""

from playwright.sync_api import ConsoleMessage, Page, Request, Response


class OpenPage:
    """A page that opens views of the console and collects its problems."""

    def __init__(self, page: Page, url: str, token: str) -> None:
        self.page, self.url, self.token = page, url, token
        self.problems: list[str] = []
        page.on("console", self._collect_message)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._check_request)
        page.on("response", self._check_response)

    def go(self, view: str) -> Page:
        """Open a view, from the start or inside the page, and wait until it has what it reads."""
        if not self.page.url.startswith(self.url):
            self.page.goto(f"{self.url}/#token={self.token}")
            self.page.wait_for_selector("#connection[data-state=ok]")
        address = f"{self.url}/#/{view}"
        self.page.evaluate("address => { location.href = address }", address)
        self.page.wait_for_function(
            "address => location.href === address && !document.querySelector('main .loading, main [aria-busy]')",
            arg=address,
        )
        return self.page

    def forget_problems(self, word: str) -> None:
        """Forget the problems that have a word and that the test causes itself; there must be some."""
        assert any(word in problem for problem in self.problems), self.problems
        self.problems = [problem for problem in self.problems if word not in problem]

    def close(self) -> None:
        self.page.context.close()

    def _collect_message(self, message: ConsoleMessage) -> None:
        # Chromium reports a failed response too, without its address.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.problems.append(f"{message.type}: {message.text}")

    def _check_request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.problems.append(f"request to {request.url}")

    def _check_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} of {response.url.removeprefix(self.url)}")
