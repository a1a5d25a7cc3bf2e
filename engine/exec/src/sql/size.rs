//! How large a statement may be, told before it is planned.
//!
//! ```text
//!  text ─ tokens ─▶ operators, SELECTs, joins ─▶ tree ─▶ relations, each CTE as often as it is used
//! ```
//!
//! Chains of operators and relations become trees as deep as they are long, and planning takes
//! time with the square of that. A CTE is planned anew wherever it is named, so that a few lines
//! can name a million of them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, ObjectName, Query, Visit, Visitor, visit_relations};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::{Error, ErrorKind};

/// Longest accepted statement in bytes.
const STATEMENT_BYTES_MAX: usize = 256 * 1024;

/// Operators of a statement.
const OPERATORS_MAX: usize = 1_000;

/// Tables, subqueries and what joins or unites them in a statement.
const RELATIONS_MAX: usize = 200;

/// Refuses texts that are too long, or would become trees that are too deep.
pub(super) fn check_text(statement: &str) -> Result<(), Error> {
    within(statement.len(), "bytes", STATEMENT_BYTES_MAX)?;
    // What is wrong with a text is told by the parser.
    let tokens = Tokenizer::new(&GenericDialect {}, statement).tokenize().unwrap_or_default();
    within(tokens.iter().filter(|token| is_operator(token)).count(), "operators", OPERATORS_MAX)?;
    let relations = tokens.iter().filter(|token| makes_relation(token)).count();
    within(relations, "subqueries and joins", RELATIONS_MAX)
}

/// Refuses statements that name too many relations.
pub(super) fn check_tree(statement: &Statement) -> Result<(), Error> {
    match statement {
        Statement::Statement(statement) => {
            let mut sizes = Sizes::default();
            // It never breaks.
            let _ = statement.visit(&mut sizes);
            within(sizes.relations(statement.as_ref()), "relations", RELATIONS_MAX)
        }
        Statement::Explain(explained) => check_tree(&explained.statement),
        // Nothing else only reads.
        _ => Ok(()),
    }
}

fn within(count: usize, what: &str, max: usize) -> Result<(), Error> {
    if count <= max {
        return Ok(());
    }
    let message = format!("a statement of {count} {what} is over the limit of {max} {what}");
    Err(Error::new(ErrorKind::Limit, message))
}

/// Whether a token stands between operands, or behind one, so that a chain of them is a deep tree.
fn is_operator(token: &Token) -> bool {
    use Keyword as K;
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            K::AND
                | K::OR
                | K::XOR
                | K::IS
                | K::IN
                | K::LIKE
                | K::ILIKE
                | K::RLIKE
                | K::REGEXP
                | K::SIMILAR
                | K::BETWEEN
                | K::COLLATE
                | K::AT
                | K::OVERLAPS
                | K::NOTNULL
        ),
        Token::EOF
        | Token::Number(..)
        | Token::Char(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::Period
        | Token::SemiColon
        | Token::Placeholder(_) => false,
        Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_) => false,
        _ => true,
    }
}

fn makes_relation(token: &Token) -> bool {
    use Keyword as K;
    let Token::Word(word) = token else { return false };
    matches!(
        word.keyword,
        K::SELECT | K::JOIN | K::APPLY | K::UNION | K::INTERSECT | K::EXCEPT | K::MINUS | K::VALUES
    )
}

/// How many relations each CTE stands for.
#[derive(Debug, Default)]
struct Sizes(HashMap<String, usize>);

impl Sizes {
    /// Relations that a part of a statement names.
    fn relations(&self, of: &impl Visit) -> usize {
        let mut count = 0_usize;
        let _: ControlFlow<()> = visit_relations(of, |name: &ObjectName| {
            count = count.saturating_add(self.0.get(&key(&name.to_string())).copied().unwrap_or(1));
            ControlFlow::Continue(())
        });
        count
    }
}

impl Visitor for Sizes {
    type Break = ();

    // Behind all that is within: CTEs of subqueries are known then.
    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with: &ast::With| &with.cte_tables);
        for cte in ctes {
            let relations = self.relations(cte.query.as_ref()).max(1);
            // Of several with one name the largest counts.
            let known = self.0.entry(key(&cte.alias.name.to_string())).or_default();
            *known = relations.max(*known);
        }
        ControlFlow::Continue(())
    }
}

/// Names are the same whatever their case, and without quotes.
fn key(name: &str) -> String {
    name.trim_matches('"').to_lowercase()
}
