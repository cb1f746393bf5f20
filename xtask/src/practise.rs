//! `cargo xtask practise`: asks what the scheduler does next, again and again. Each question is made
//! from a number, here and in the book's page.

use std::io::{self, BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use bricks_live::practise::{Practice, practise};

const HELP: &str = "\
Makes a scenario and asks what the scheduler of stage 04 does next. The answer is what it does.

Usage: cargo xtask practise [--seed N]

  --seed N  begins with practice number N: the same number always asks the same
  --help    print this and exit

Type the number of your answer, and Enter for the next question; q ends.
";

/// The page can ask for the same numbers.
const MOST: u64 = u32::MAX as u64;

pub fn start(options: &[&str]) -> Result<(), String> {
    let seed = match options {
        [] => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::from(now.subsec_nanos() % 1_000_000)
        }
        ["--seed", seed] => match seed.parse() {
            Ok(seed) if seed <= MOST => seed,
            _ => return Err(format!("{seed:?} is no number up to {MOST}\n\n{HELP}")),
        },
        ["--help" | "-h"] => {
            print!("{HELP}");
            return Ok(());
        }
        _ => return Err(format!("{options:?} is not understood\n\n{HELP}")),
    };
    ask_on(seed, &mut io::stdin().lock())
}

/// Asks, from this number on, until the reader has had enough.
fn ask_on(mut seed: u64, input: &mut impl BufRead) -> Result<(), String> {
    let (mut right, mut all) = (0, 0);
    loop {
        let practice = practise(seed);
        println!("{}", text(seed, &practice));
        let Some(answer) = answer(&practice, input)? else {
            if all > 0 {
                println!("\n{right} of {all} right");
            }
            return Ok(());
        };
        all += 1;
        if answer == practice.right {
            right += 1;
            println!("\nRight. {}", practice.why);
        } else {
            let (number, choice) =
                (practice.right + 1, &practice.choices[practice.right]);
            println!("\nNo: it is {number}, {choice}. {}", practice.why);
        }
        println!("To watch it, open the page “You are the kernel” of the book with");
        println!("    #live=free:{}", practice.scenario);
        print!("\nEnter for the next question, q to end: ");
        match line(input)?.as_deref() {
            None | Some("q") => {
                println!("\n{right} of {all} right");
                return Ok(());
            }
            Some(_) => seed = (seed + 1) % (MOST + 1),
        }
    }
}

fn text(seed: u64, it: &Practice) -> String {
    let mut text = format!("\nPractice {seed}\n\n");
    for told in &it.told {
        text += &format!("  {told}\n");
    }
    text += "\n";
    for place in &it.places {
        text += &format!("  {place}\n");
    }
    text += &format!("\n{}\n\n", it.question);
    for (number, choice) in (1..).zip(&it.choices) {
        text += &format!("  {number}. {choice}\n");
    }
    text
}

/// The index of the reader's choice; none if there is no more to come.
fn answer(it: &Practice, input: &mut impl BufRead) -> Result<Option<usize>, String> {
    let most = it.choices.len();
    loop {
        print!("Your answer, 1 to {most} (q ends): ");
        let Some(line) = line(input)?.filter(|line| line != "q") else {
            return Ok(None);
        };
        match line.parse::<usize>() {
            Ok(number) if (1..=most).contains(&number) => return Ok(Some(number - 1)),
            _ => println!("{line:?} is none of these."),
        }
    }
}

fn line(input: &mut impl BufRead) -> Result<Option<String>, String> {
    io::stdout().flush().map_err(|error| format!("cannot print: {error}"))?;
    let mut line = String::new();
    match input.read_line(&mut line) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(line.trim().to_string())),
        Err(error) => Err(format!("cannot read your answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_of_the_choices_or_the_end() {
        let practice = practise(1);
        let answer = |text: &str| answer(&practice, &mut text.as_bytes()).unwrap();
        assert_eq!(answer("1\n"), Some(0));
        assert_eq!(answer("0\nx\n\n 2 \n"), Some(1));
        assert_eq!(answer("99\nq\n"), None);
        assert_eq!(answer(""), None);
    }

    #[test]
    fn a_question_shows_all_that_is_needed() {
        for seed in 0..20 {
            let practice = practise(seed);
            let text = text(seed, &practice);
            let lines =
                practice.told.iter().chain(&practice.places).chain(&practice.choices);
            assert!(lines.clone().all(|line| text.contains(line)), "{text}");
            assert!(text.contains(&practice.question), "{text}");
        }
    }

    #[test]
    fn it_goes_on_until_the_input_ends() {
        assert_eq!(ask_on(7, &mut "1\n\n1\n\n1\nq\n".as_bytes()), Ok(()));
        assert_eq!(ask_on(u64::from(u32::MAX), &mut "1\n\n1\n".as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_no_number_is_told() {
        assert!(start(&["--seed", "seven"]).unwrap_err().contains("--seed N"));
        assert!(start(&["--seed", "99999999999"]).is_err());
        assert!(start(&["7"]).is_err());
    }
}
