//! Reads tokens into steps, and collects what is wrong on the way.
//!
//! An error of syntax ends the reading. An unknown name or unlike kinds are noted, no step is made of them, and the
//! reading goes on: the steps are thrown away at the end, and the writer sees every problem at once.

use std::ops::Range;

use memchr::memmem;

use super::check::{self, Side};
use super::eval::{Literal, Operand, Relation, Search, Step, TextTest};
use super::lex::{Token, TokenKind, lex};
use super::paths::Paths;
use super::regexes;
use super::{DEPTH_MAX, LIST_MAX, NODES_MAX, Names, Problem, SOURCE_BYTES_MAX};
use crate::suggest::closest;

/// Words that are part of the grammar and can be neither name nor value.
const KEYWORDS: [&str; 7] = [
    "and",
    "or",
    "not",
    "in",
    "contains",
    "starts_with",
    "ends_with",
];

const OPERATORS: &str =
    "operators: == != < <= > >= in contains starts_with ends_with ~, then not, and, or";

type Parse<T> = Result<T, Problem>;

/// What was just read, for the rule on `not`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Comparison,
    Other,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    Relation(Relation),
    Text(TextTest),
    In,
    Matches,
}

struct Parser<'s> {
    source: &'s str,
    names: &'s Names<'s>,
    tokens: Vec<Token<'s>>,
    /// The next token; never past the last, which is `End` or `Bad`.
    at: usize,
    steps: Vec<Step>,
    plan: Plan,
    problems: Vec<Problem>,
    depth: usize,
    nodes: usize,
}

/// What an expression asks for more than once, or together.
#[derive(Default)]
pub(super) struct Plan {
    /// Every path.
    pub paths: Paths,
    /// The regexes, by what they are asked of.
    pub searches: Vec<(Operand, Vec<Box<str>>)>,
}

/// The steps of an expression with their plan, or every problem found, in the order of the source.
pub(super) fn parse(source: &str, names: &Names<'_>) -> Result<(Vec<Step>, Plan), Vec<Problem>> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(vec![Problem::new(
            0..source.len(),
            format!(
                "the expression has {} bytes, more than {SOURCE_BYTES_MAX}",
                source.len()
            ),
            "split it over several transforms",
        )]);
    }
    let mut parser = Parser {
        source,
        names,
        tokens: lex(source),
        at: 0,
        steps: Vec::new(),
        plan: Plan::default(),
        problems: Vec::new(),
        depth: 0,
        nodes: 0,
    };
    if let Err(problem) = parser.whole() {
        parser.problems.push(problem);
    }
    if parser.problems.is_empty() {
        return Ok((parser.steps, parser.plan));
    }
    parser.problems.sort_by_key(|problem| problem.span.start);
    Err(parser.problems)
}

impl<'s> Parser<'s> {
    fn whole(&mut self) -> Parse<()> {
        if matches!(self.peek(), TokenKind::End) {
            return Err(Problem::new(
                self.span(),
                "the expression is empty",
                "write a condition, for example `level >= warn`",
            ));
        }
        self.any()?;
        match self.peek() {
            TokenKind::End => Ok(()),
            TokenKind::Symbol(")") => Err(Problem::new(
                self.span(),
                "this `)` closes nothing",
                "remove it, or open it with `(`",
            )),
            _ => Err(self.expected("`and`, `or` or the end", OPERATORS.to_owned())),
        }
    }

    /// `a or b or c`
    fn any(&mut self) -> Parse<()> {
        self.joined("or", Step::IfTrue, Parser::all)
    }

    /// `a and b and c`
    fn all(&mut self) -> Parse<()> {
        self.joined("and", Step::IfFalse, |parser| parser.condition().map(drop))
    }

    /// Parts around a word; after each but the last, a jump to the end that spares the rest.
    fn joined(
        &mut self,
        word: &str,
        jump: fn(usize) -> Step,
        part: fn(&mut Self) -> Parse<()>,
    ) -> Parse<()> {
        part(self)?;
        let mut jumps = Vec::new();
        while self.is_word(word) {
            self.node()?;
            self.advance();
            jumps.push(self.steps.len());
            self.steps.push(jump(0));
            part(self)?;
        }
        let end = self.steps.len();
        for place in jumps {
            self.steps[place] = jump(end);
        }
        Ok(())
    }

    fn condition(&mut self) -> Parse<Form> {
        match *self.peek() {
            TokenKind::Word("not") => self.negation(),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("not") => Err(Problem::new(
                self.span(),
                format!("`{word}` is no operator"),
                "write `not`: operators are in lower case",
            )),
            TokenKind::Word("exists") => self.existence(),
            TokenKind::Symbol("(") => self.group(),
            _ => self.comparison(),
        }
    }

    fn negation(&mut self) -> Parse<Form> {
        self.node()?;
        let start = self.span().start;
        self.deeper()?;
        self.advance();
        let inner = self.span().start;
        let form = self.condition()?;
        self.depth -= 1;
        self.steps.push(Step::Not);
        if form == Form::Comparison {
            let end = self.ended();
            self.problems.push(Problem::new(
                start..end,
                "`not` before a comparison needs parentheses",
                format!("write `not ({})`", &self.source[inner..end]),
            ));
        }
        Ok(Form::Other)
    }

    fn group(&mut self) -> Parse<Form> {
        let open = self.span();
        self.deeper()?;
        self.advance();
        self.any()?;
        self.depth -= 1;
        match self.peek() {
            TokenKind::Symbol(")") => self.advance(),
            TokenKind::End => {
                return Err(Problem::new(
                    open,
                    "this `(` is not closed",
                    "close it with `)`",
                ));
            }
            _ => return Err(self.expected("`and`, `or` or `)`", OPERATORS.to_owned())),
        }
        self.no_operator("a condition in parentheses cannot be compared")?;
        Ok(Form::Other)
    }

    /// `exists(.a)`
    fn existence(&mut self) -> Parse<Form> {
        const HELP: &str = "write for example `exists(.user.id)` or `exists(request_id)`";
        self.node()?;
        self.advance();
        self.symbol("(", HELP)?;
        if !matches!(self.peek(), TokenKind::Word(_) | TokenKind::Path(_)) {
            return Err(self.expected("a path or a name", HELP.to_owned()));
        }
        let side = self.side()?;
        self.symbol(")", HELP)?;
        if side.literal().is_some() {
            self.problems.push(Problem::new(
                side.span,
                format!("`{}` is a literal and always exists", side.text),
                HELP,
            ));
        } else if let Some(operand) = self.resolved(side, None) {
            self.steps.push(Step::Exists(operand));
        }
        self.no_operator("`exists` is a condition and cannot be compared")?;
        Ok(Form::Other)
    }

    fn comparison(&mut self) -> Parse<Form> {
        self.node()?;
        let left = self.side()?;
        let Some(operator) = self.operator() else {
            return self.alone(left);
        };
        self.advance();
        let start = left.span.start;
        let middle = self.span().start;
        match operator {
            Operator::Relation(relation) => self.relation(left, relation)?,
            Operator::Text(test) => self.text_test(left, test)?,
            Operator::In => self.membership(left)?,
            Operator::Matches => self.regex(left)?,
        }
        if self.operator().is_some() {
            let end = self.ended();
            let help = format!(
                "write `{} and {} {} …`",
                &self.source[start..end],
                &self.source[middle..end],
                &self.source[self.span()]
            );
            return Err(Problem::new(self.span(), "comparisons do not chain", help));
        }
        Ok(Form::Comparison)
    }

    fn relation(&mut self, left: Side<'s>, relation: Relation) -> Parse<()> {
        let right = self.side()?;
        let whole = left.span.start..right.span.end;
        self.problems
            .extend(check::comparison(&left, relation, &right, whole));
        let (left_is_level, right_is_level) = (left.is_level(), right.is_level());
        let left = self.resolved(left, right_is_level.then_some(check::unknown_level));
        let right = self.resolved(right, left_is_level.then_some(check::unknown_level));
        if let (Some(left), Some(right)) = (left, right) {
            self.steps.push(Step::Compare {
                left,
                relation,
                right,
            });
        }
        Ok(())
    }

    fn text_test(&mut self, left: Side<'s>, test: TextTest) -> Parse<()> {
        let operator = match test {
            TextTest::Contains => "contains",
            TextTest::StartsWith => "starts_with",
            TextTest::EndsWith => "ends_with",
        };
        let right = self.side()?;
        self.problems.extend(check::text_side(&left, operator));
        self.problems.extend(check::text_side(&right, operator));
        let (left, right) = (self.resolved(left, None), self.resolved(right, None));
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(());
        };
        self.steps.push(match (test, right) {
            (TextTest::Contains, Operand::Literal(Literal::Text(text))) => {
                let finder = memmem::Finder::new(text.as_bytes()).into_owned();
                let search = Search::Contains(Box::new(finder));
                Step::Search { left, search }
            }
            (test, right) => Step::Text { left, test, right },
        });
        Ok(())
    }

    fn regex(&mut self, left: Side<'s>) -> Parse<()> {
        let TokenKind::Text(pattern) = *self.peek() else {
            return Err(self.expected(
                "a regex in quotes",
                "write for example `message ~ \"timed? out\"`".to_owned(),
            ));
        };
        let span = self.span();
        self.advance();
        self.problems.extend(check::text_side(&left, "~"));
        let left = self.resolved(left, None);
        match (left, regexes::check(pattern, span)) {
            (_, Err(problem)) => self.problems.push(problem),
            (Some(left), Ok(())) => self.matches(left, pattern),
            (None, Ok(())) => {}
        }
        Ok(())
    }

    /// A search among those that are asked of the same name or path.
    fn matches(&mut self, left: Operand, pattern: &str) {
        let searches = &mut self.plan.searches;
        let set = match searches.iter().position(|(subject, _)| *subject == left) {
            Some(set) => set,
            None => {
                searches.push((left.clone(), Vec::new()));
                searches.len() - 1
            }
        };
        let patterns = &mut searches[set].1;
        let index = match patterns.iter().position(|known| **known == *pattern) {
            Some(index) => index,
            None => {
                patterns.push(pattern.into());
                patterns.len() - 1
            }
        };
        let search = Search::Matches { set, index };
        self.steps.push(Step::Search { left, search });
    }

    /// `[1, 2]` after `in`
    fn membership(&mut self, left: Side<'s>) -> Parse<()> {
        const HELP: &str =
            "write a list of literals, for example `type in [\"function\", \"extension\"]`";
        let open = self.span();
        self.symbol("[", HELP)?;
        let mut list = Vec::new();
        while !matches!(self.peek(), TokenKind::Symbol("]")) {
            let item = self.side()?;
            if list.len() == LIST_MAX {
                return Err(Problem::new(
                    item.span,
                    format!("the list has more than {LIST_MAX} literals"),
                    "use a regex, or split the list with `or`",
                ));
            }
            list.extend(self.item(&left, item));
            if matches!(self.peek(), TokenKind::Symbol(",")) {
                self.advance();
            } else if !matches!(self.peek(), TokenKind::Symbol("]")) {
                return Err(self.expected("`,` or `]`", HELP.to_owned()));
            }
        }
        self.advance();
        let whole = open.start..self.ended();
        if self.source[open.end..whole.end - 1].trim().is_empty() {
            self.problems
                .push(Problem::new(whole, "nothing is in an empty list", HELP));
        }
        if let Some(left) = self.resolved(left, None) {
            self.steps.push(Step::In {
                left,
                list: list.into(),
            });
        }
        Ok(())
    }

    /// One literal of a list, unless something is wrong with it.
    fn item(&mut self, left: &Side<'s>, item: Side<'s>) -> Option<Literal> {
        let whole = item.span.clone();
        let problem = match &item.operand {
            None if left.is_level() => Some(check::unknown_level(item.text, whole)),
            Some(Operand::Literal(_)) => check::comparison(left, Relation::Equal, &item, whole),
            _ => Some(Problem::new(
                whole,
                format!("`{}` is no literal", item.text),
                format!(
                    "a list holds literals; text is written in quotes: `\"{}\"`",
                    item.text
                ),
            )),
        };
        match (problem, item.operand) {
            (None, Some(Operand::Literal(literal))) => Some(literal),
            (problem, _) => {
                self.problems.extend(problem);
                None
            }
        }
    }

    /// A value without an operator: a boolean, or an error.
    fn alone(&mut self, side: Side<'s>) -> Parse<Form> {
        let closed = match self.peek() {
            TokenKind::End | TokenKind::Symbol(")") => true,
            TokenKind::Word(word) => matches!(*word, "and" | "or"),
            _ => false,
        };
        if !closed {
            return Err(self.missing_operator(&side));
        }
        self.problems.extend(check::condition(&side));
        if let Some(operand) = self.resolved(side, None) {
            self.steps.push(Step::Truth(operand));
        }
        Ok(Form::Other)
    }

    fn missing_operator(&self, side: &Side<'_>) -> Problem {
        let help = match self.peek() {
            TokenKind::Word("not") => {
                format!(
                    "put `not` in front, with parentheses: `not ({} …)`",
                    side.text
                )
            }
            TokenKind::Word("is" | "eq" | "equals") => "write `==`".to_owned(),
            TokenKind::Word("matches" | "like") => "write `~` and a regex".to_owned(),
            TokenKind::Word(word) => match closest(word, &KEYWORDS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => OPERATORS.to_owned(),
            },
            _ => OPERATORS.to_owned(),
        };
        self.expected(&format!("an operator after `{}`", side.text), help)
    }

    /// A name, path or literal.
    fn side(&mut self) -> Parse<Side<'s>> {
        let span = self.span();
        let text = &self.source[span.clone()];
        let operand = match &self.tokens[self.at].kind {
            TokenKind::Path(path) => Some(Operand::Path(self.plan.paths.add(path))),
            TokenKind::Text(text) => Some(Operand::Literal(Literal::Text((*text).into()))),
            TokenKind::Number(number) => Some(Operand::Literal(Literal::Number(*number))),
            TokenKind::Duration(duration) => Some(Operand::Literal(Literal::Duration(*duration))),
            TokenKind::Size(size) => Some(Operand::Literal(Literal::Size(*size))),
            TokenKind::Word(word) if !KEYWORDS.contains(word) => self.word(word, span.clone()),
            _ => {
                let help = "write a name, a path such as `.user.id`, or a literal such as `\"text\"`, `5`, `800ms`";
                return Err(self.expected("a value", help.to_owned()));
            }
        };
        self.advance();
        Ok(Side {
            operand,
            text,
            span,
        })
    }

    fn word(&self, word: &str, span: Range<usize>) -> Option<Operand> {
        if let Some(level) = check::level_word(word) {
            return Some(Operand::Literal(Literal::Level(level)));
        }
        match word {
            "true" => Some(Operand::Literal(Literal::Boolean(true))),
            "false" => Some(Operand::Literal(Literal::Boolean(false))),
            _ => check::name(word, span, self.names)
                .ok()
                .flatten()
                .map(Operand::Name),
        }
    }

    /// The operand of a side; a word without a meaning is noted, by `as_other` where the other side says what it is.
    fn resolved(
        &mut self,
        side: Side<'s>,
        as_other: Option<fn(&str, Range<usize>) -> Problem>,
    ) -> Option<Operand> {
        if side.operand.is_none() {
            let listed = check::name(side.text, side.span.clone(), self.names);
            self.problems.push(match (listed, as_other) {
                (Err(problem), _) => problem,
                (Ok(_), Some(describe)) => describe(side.text, side.span),
                (Ok(_), None) => check::unknown(side.text, side.span, self.names),
            });
        }
        side.operand
    }

    fn operator(&self) -> Option<Operator> {
        Some(match *self.peek() {
            TokenKind::Symbol(symbol) => Operator::Relation(match symbol {
                "==" => Relation::Equal,
                "!=" => Relation::NotEqual,
                "<" => Relation::Less,
                "<=" => Relation::LessOrEqual,
                ">" => Relation::Greater,
                ">=" => Relation::GreaterOrEqual,
                "~" => return Some(Operator::Matches),
                _ => return None,
            }),
            TokenKind::Word("in") => Operator::In,
            TokenKind::Word(word) => Operator::Text(check::text_operator(word)?),
            _ => return None,
        })
    }

    fn no_operator(&self, message: &str) -> Parse<()> {
        if self.operator().is_none() {
            return Ok(());
        }
        Err(Problem::new(
            self.span(),
            message,
            "a value takes no parentheses, as in `.a == 1`; a condition stands alone or after `not`",
        ))
    }

    fn symbol(&mut self, symbol: &str, help: &str) -> Parse<()> {
        if !matches!(self.peek(), TokenKind::Symbol(found) if *found == symbol) {
            return Err(self.expected(&format!("`{symbol}`"), help.to_owned()));
        }
        self.advance();
        Ok(())
    }

    fn expected(&self, wanted: &str, help: String) -> Problem {
        let found = match self.peek() {
            TokenKind::Bad(problem) => return (**problem).clone(),
            TokenKind::End => "the end".to_owned(),
            _ => format!("`{}`", &self.source[self.span()]),
        };
        Problem::new(
            self.span(),
            format!("expected {wanted}, found {found}"),
            help,
        )
    }

    fn deeper(&mut self) -> Parse<()> {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return Ok(());
        }
        Err(Problem::new(
            self.span(),
            format!("parentheses and `not` nest deeper than {DEPTH_MAX}"),
            "join conditions with `and` and `or` at one depth",
        ))
    }

    fn node(&mut self) -> Parse<()> {
        self.nodes += 1;
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(Problem::new(
            self.span(),
            format!("the expression has more than {NODES_MAX} conditions and `not`, `and`, `or`"),
            "use `in [..]` or a regex, or split it over several transforms",
        ))
    }

    fn peek(&self) -> &TokenKind<'s> {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    /// Where the token before this one ended.
    fn ended(&self) -> usize {
        self.at
            .checked_sub(1)
            .map_or(0, |at| self.tokens[at].span.end)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(found) if *found == word)
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }
}
