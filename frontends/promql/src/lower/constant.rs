//! Scalars whose value is known before anything runs.

use plan::Node;
use plan::expr::ArithmeticOp;
use plan::node::{Binary, BinaryOp, Matching};

/// `left op right`, as a number if both operands are.
pub(super) fn scalars(op: BinaryOp, left: Node, right: Node) -> Node {
    let folded = match (op, &left, &right) {
        (BinaryOp::Arithmetic(op), Node::Number(left), Node::Number(right)) => {
            Some(op.apply(*left, *right))
        }
        (BinaryOp::Test(op), Node::Number(left), Node::Number(right)) => {
            Some(f64::from(u8::from(op.holds(left, right))))
        }
        _ => None,
    };
    if let Some(value) = folded {
        return Node::Number(value);
    }
    let (left, right) = (Box::new(left), Box::new(right));
    Node::Binary(Binary { left, right, op, matching: Matching::all_labels(), position: None })
}

/// A scalar with its sign turned.
pub(super) fn negate(scalar: Node) -> Node {
    match scalar {
        Node::Number(value) => Node::Number(-value),
        // Not `0 - x`, which has the wrong sign for zero.
        scalar => {
            let op = BinaryOp::Arithmetic(ArithmeticOp::Multiply);
            scalars(op, Node::Number(-1.0), scalar)
        }
    }
}
