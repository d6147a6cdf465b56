"""How OWASP's Core Rule Set (CRS) is set up here: how strict it is, what is set otherwise, what is left out and why.

CRS runs at paranoia level 2 with its own scores. At level 1 about half of the lists' SQL injections are blocked; level
2 takes some of what people write for attacks, and those rules are left out. They were chosen by looking at
requests; what `make attack` reports is the share of others, by which none was chosen.
"""

PARANOIA_LEVEL = 2


# What is set otherwise than CRS has it, in ModSecurity's language and run before CRS, and why.
SETTINGS = r"""
# The methods and types of the API; which methods pass, CloudFront's AllowedMethods say.
SecAction "id:100001,phase:1,nolog,pass,\
    setvar:'tx.allowed_methods=GET HEAD POST PUT PATCH DELETE OPTIONS',\
    setvar:'tx.allowed_request_content_type=|application/json| |application/x-ndjson| |application/problem+json|',\
    setvar:'tx.paranoia_level=PARANOIA',setvar:'tx.crs_setup_version=334'"
# A body of JSON is looked at value by value.
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z.-]+\+)?(?:x-nd)?json" \
    "id:100002,phase:1,t:none,t:lowercase,nolog,pass,ctl:requestBodyProcessor=JSON"
# EC2MetaDataSSRF has no counterpart in CRS.
SecRule ARGS|REQUEST_FILENAME|REQUEST_COOKIES "@contains 169.254.169.254" \
    "id:100100,phase:2,pass,log,severity:'CRITICAL',logdata:'within %{MATCHED_VAR_NAME}'"
# Log4JRCE has none that is told apart.
SecRule ARGS|REQUEST_FILENAME|REQUEST_COOKIES|REQUEST_HEADERS "@rx \$\{(?:jndi|\$\{)" \
    "id:100101,phase:2,t:urlDecodeUni,t:lowercase,pass,log,severity:'CRITICAL',logdata:'within %{MATCHED_VAR_NAME}'"
""".replace("PARANOIA", str(PARANOIA_LEVEL))


# What of CRS is left out, and why.
EXCLUDED_RULES = {
    "920280": "a request without Host: CloudFront answers it itself",
    "920350": "Host is an address: everybody's is, here",
    # The clients of this service are programs, and AWS's rules take no common library for a bad bot.
    "913101": "a program's HTTP library by its User-Agent: python-requests, Python-urllib",
    "920300": "a request without Accept, which programs leave out",
    # Of level 2, what prose in a field meets: remarks, names, addresses. What else they catch, the others mostly
    # catch too.
    "931130": "an address of the web, which a name of a place can be",
    "932200": "a slash or a backslash among words, taken for a shell's",
    "933210": "brackets one after the other: `(Kwajalein Kmr)(Atoll)`",
    "942150": "a name of a function before a bracket: `Army Air Field (Camp Robinson)`",
    "942200": "a quote and a comma",
    "942210": "`and` between names: `Ben And Judy Briscoe Field`",
    "942260": "a quoted word before an &",
    "942390": "`or` and a number",
    "942410": "the same",
    "942440": "`--` and `#`, taken for comments of SQL",
    # Letters of other alphabets, byte by byte or by the lower byte of their number.
    "941310": "`м`, `о`: bytes of UTF-8, taken for signs of another encoding",
    "942120": "`Сн`: U+0421 and U+043D, taken for `!=`",
}
