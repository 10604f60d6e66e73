//! Filters whose result Jinja2 makes as it is asked for: it has no length, is true even without items, gives them once and
//! is no JSON.

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, State, Value, filters};

/// Replaces these filters in `environment`.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("__map", filters::map);
    environment.add_filter("__select", filters::select);
    environment.add_filter("__reject", filters::reject);
    environment.add_filter("__selectattr", filters::selectattr);
    environment.add_filter("__rejectattr", filters::rejectattr);
    for (name, listed) in [
        ("map", "__map"),
        ("select", "__select"),
        ("reject", "__reject"),
        ("selectattr", "__selectattr"),
        ("rejectattr", "__rejectattr"),
    ] {
        environment.add_filter(name, move |state: &mut State, arguments: Rest<Value>, named: Kwargs| {
            let mut arguments = arguments.0;
            if named.args().next().is_some() {
                arguments.push(Value::from(named));
            }
            once(state.apply_filter(listed, &arguments)?)
        });
    }
}

fn once(list: Value) -> Result<Value, Error> {
    let items: Vec<Value> = list.try_iter()?.collect();
    Ok(Value::make_one_shot_iterator(items.into_iter()))
}
