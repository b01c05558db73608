"""What providers' words mean: patterns from their documentation and from what users have reported.

Each pattern stands for one class of error. `mlesearch.models.live.errors` says in which order they count, and
`mlesearch.models.live.refusals` reads the numbers in them.
"""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


QUOTA_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "budget_exceeded", "quota_exceeded"}
    | {"1113", "1304", "1308", "1309", "1310"}  # Z.ai
)
QUOTA = _any(
    r"insufficient[_ ](?:quota|balance|credit|funds)",
    r"credit balance is too low|prepa(?:id|yment) credits? (?:are|is|have been) (?:depleted|exhausted)",
    r"billing hard limit|out of credits|account is not active|spending (?:cap|limit)|spend limit",
    r"requires more credits|can only afford|credit limit exceeded|run out of (?:available )?credits",
    r"reached your specified api usage limits|exceeded your monthly",
    r"budget has been exceeded|exceededbudget|over budget",  # the litellm proxy
)

KEY = _any(
    r"api[_ ]key[_ ](?:not[_ ]valid|invalid|expired|not found)",
    r"(?:invalid|incorrect|missing|no|expired) (?:x-)?api[- _]key",
    r"invalid proxy server token|authentication (?:error|failed|fails)|no auth credentials|missing authentication",
    r"invalid authentication|invalid (?:bearer|access|auth\w*) token|token (?:is invalid|(?:has )?expired)",
    r"no[_ ]connected[_ ]db|no_db_connection",  # the litellm proxy without a database, to any key but its own
)
KEY_OR_RIGHTS = _any(
    r"key|token|credential|auth|permission|access|forbidden|allowed|account|billing|region|country|territory",
    r"subscription|project|organi[sz]ation|suspended|disabled|licen[cs]e|plan\b|location",
)
"""What a 403 is about, where it is about the key and not about this prompt."""

FIREWALL = _any(
    r"you have been blocked|cloudflare|attention required|request (?:was )?blocked|web application firewall|\bwaf\b",
    r"captcha|incapsula|the requested url was rejected",
)

MODEL_CODES = frozenset({"model_not_found", "1211", "model_not_exist"})
MODEL = _any(
    r"model:?\s+(?:[`'\"]?[\w./:@+-]+[`'\"]?\s+)?(?:does not exist|(?:is |was )?not found|is not available)",
    r"unknown model|invalid model\b(?! (?:input|output|prompt))|not a valid model|model[_ ]not[_ ](?:exist|found)",
    r"no such model|no models? (?:is |are )?loaded|try pulling it first|no endpoints found",
    r"model .{0,80}(?:has been|was) (?:decommissioned|retired|removed)|models/\S+ is not found",
)
URL = _any(
    r"plain http request was sent to https port|client sent an http request to an https server",
    r"unexpected endpoint or method|invalid url \(|unknown request url|no such (?:route|path|endpoint)",
)

CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "string_above_max_length", "request_too_large", "exceed_context_size_error", "1261"}
)
CONTEXT = _any(
    r"maximum context length|max(?:imum)? (?:model )?context|context[ _](?:length|window|size|limit)",
    r"prompt is too long|input token count.*exceeds|exceeds the maximum number of tokens|input is too long",
    r"too many (?:input )?tokens|reduce the length|request_too_large",
    r"maximum prompt length|prompt exceeds max length|range of input length should be",  # xAI, Z.ai, DashScope
    r"inputs?`? must have less than \d+ tokens|`inputs` tokens",  # TGI
    r"input length \(\d+ tokens\) exceeds|longer than the model's context",  # SGLang
    r"n_keep \(?\d+\)? >= n_ctx|tokens to keep from the initial prompt|keep the first \d+ tokens",  # LM Studio
    r"input length exceeds|prompt (?:contains|has) \d+ tokens.*too large|exceeds? the available context",
    r"total number of tokens in the prompt cannot exceed|decoder prompt .{0,60}longer than the maximum",
    r"tokens? (?:in the )?prompt .{0,40}exceeds?|prompt .{0,40}exceeds? (?:the )?(?:model|maximum|max)",
)
TOO_LARGE_FOR_RATE = _any(r"request too large for .*(?:tokens? per min|tpm|requested \d+)", r"must be reduced in order")
"""A single request above a limit a minute: it never passes, however long one waits."""

FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsible_ai_policy_violation", "1301"})
FILTER = _any(
    r"content management policy|content[_ ]policy|content[_ ]filter|safety system|usage policy|usage policies",
    r"content exists risk",  # DeepSeek
    r"unsafe or sensitive content",  # Z.ai
    r"may contain inappropriate content|data_?inspection_?failed",  # DashScope
    r"requires moderation|your input was flagged|flagged as potentially|prompt was blocked|prohibited_content",
    r"violated? .{0,40}(?:guardrail|policy)|guardrail|blocked by .{0,30}(?:safety|moderation)",
)

SYSTEM = _any(
    r"system role (?:is )?not supported|does not support 'system'|'system' (?:is not|role)",
    r"developer instruction is not enabled",
    r"system (?:messages?|prompts?|instructions?|roles?) (?:is|are) not (?:supported|enabled|allowed)",
    r"only user(?:,| and) .{0,20}(?:assistant|model).{0,30}roles? are supported|got system|unexpected role '?system",
    r"role '?\"?system'?\"? .{0,30}not (?:supported|allowed)|does not support system (?:messages?|prompts?|role)",
    r"unknown role:? '?\"?system|system instruction is not (?:supported|enabled)",
)

REFUSES = _any(
    r"not supported|unsupported|not support|deprecated|cannot (?:both )?be|can't be|can not be|not permitted",
    r"not allowed|unrecognized|unknown|unexpected|invalid|illegal|must be|may only|only .{0,40}(?:supported|allowed)",
    r"extra (?:inputs|fields)|out of range|greater than|less than|should be|no longer|not available|not one of",
    r"additional properties|非法|同时设置|不支持",
)
"""How a complaint about a parameter is worded."""

RETRY_DELAY = re.compile(r'(?:"?retryDelay"?:\s*"?|\bretry in )(\d+(?:\.\d+)?)s\b')
